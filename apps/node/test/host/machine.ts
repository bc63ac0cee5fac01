import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { chmod, chown, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CleanupStack, createCleanupStack, createLog, runCommand } from "@repldock/service";
import { createEngine } from "../../src/host/engine.ts";
import { type EngineProcessOptions, releaseEngine, startEngine } from "../../src/host/engine-process.ts";
import { createHomes, mountHomes, unmountHomes } from "../../src/host/homes.ts";
import { createNetwork } from "../../src/host/network.ts";
import { defaultRules, type FilterOptions } from "../../src/host/network-filter.ts";
import { chooseSubnet, gatewayAddress } from "../../src/host/subnet.ts";
import { mappedRunnerId } from "../../src/host/subordinate-ids.ts";
import type { ContainerSpecification, Engine, Homes, Network } from "../../src/host.ts";
import { packTinyImage } from "./image.ts";

export const log = createLog("test", "error");
export const image = "repldock-test:latest";

/** A directory and a cleanup stack that removes it last. */
export async function makeScratch(): Promise<{ directory: string; cleanup: CleanupStack }> {
	const directory = await mkdtemp(join(tmpdir(), "repldock-test-"));
	// Remapped root reaches its layers through it.
	await chmod(directory, 0o711);
	const cleanup = createCleanupStack(log);
	cleanup.push("directory", () => rm(directory, { recursive: true, force: true }));
	return { directory, cleanup };
}

/** A bridge, a filter that lets nothing out, and an engine of our own: what a node has, under names of this test. */
export interface Machine {
	directory: string;
	engine: Engine;
	homes: Homes;
	network: Network;
	networkOptions: FilterOptions;
	engineOptions: EngineProcessOptions;
	/** Creates and starts a container, whose volume is a fresh directory unless it is given. */
	startContainer(change?: ContainerWish): Promise<StartedContainer>;
	/** Creates and starts a container that has no volume yet. */
	startWithoutVolume(change?: ContainerWish): Promise<StartedContainer>;
	/** Removes a container and its home. */
	removeContainer(container: StartedContainer): Promise<void>;
	/** Ends the engine and starts it anew; containers are to live on. */
	restartEngine(): Promise<void>;
	/** Ends containers, engine, bridge, filter and files, whatever state they are in. */
	release(): Promise<void>;
}

export type ContainerWish = Partial<ContainerSpecification> & { volumePath?: string };

export interface StartedContainer {
	id: string;
	/** The name of its home. */
	home: string;
	/** Host path of its volume. */
	volumePath: string;
	pid: number;
	address: string;
	hardwareAddress: string;
	specification: ContainerSpecification;
}

export async function startMachine(): Promise<Machine> {
	const { directory, cleanup } = await makeScratch();
	const name = `rdt${randomBytes(4).toString("hex")}`;
	try {
		// Test files run side by side: a random wish keeps them from choosing the same one.
		const subnet = await chooseSubnet(`10.${randomBytes(1)[0]}.${(randomBytes(1)[0] ?? 0) & 252}.0/22`);
		const networkOptions: FilterOptions = {
			bridge: name,
			subnet,
			gateway: gatewayAddress(subnet),
			egress: "closed",
			rules: defaultRules,
			reachedBy: [0],
			table: name,
		};
		const network = createNetwork(networkOptions);
		await network.ensure();
		cleanup.push("network", () => network.release());
		const homesRoot = join(directory, "homes");
		await mountHomes(homesRoot);
		cleanup.push("homes", () => unmountHomes(homesRoot));
		const homes = createHomes(homesRoot);
		const engineOptions: EngineProcessOptions = {
			dataDirectory: join(directory, "engine"),
			runDirectory: join(directory, "run"),
			socketPath: join(directory, "docker.sock"),
			bridge: name,
			nameServers: [],
		};
		let engineProcess = await startEngine(engineOptions, "ignore");
		cleanup.push("engine", async () => {
			await engineProcess.stop();
			await releaseEngine(engineOptions);
		});
		const engine = createEngine({ socketPath: engineOptions.socketPath, log });
		cleanup.push("containers", () => removeContainers(engine));
		await engine.importImage(await packTinyImage(directory), image);
		return {
			directory,
			engine,
			homes,
			network,
			networkOptions,
			engineOptions,
			async startContainer(change) {
				const container = await startContainer(engine, homes, directory, change);
				const { pid, home, volumePath, specification } = container;
				await homes.fill(home, { slug: specification.slug, volumePath, pid });
				return container;
			},
			startWithoutVolume: (change) => startContainer(engine, homes, directory, change),
			async removeContainer({ id, home }) {
				await engine.removeContainer(id);
				await homes.remove(home);
			},
			async restartEngine() {
				await engineProcess.stop();
				engineProcess = await startEngine(engineOptions, "ignore");
			},
			release: () => cleanup.run(),
		};
	} catch (error) {
		await cleanup.run();
		throw error;
	}
}

async function removeContainers(engine: Engine): Promise<void> {
	const ids = (await engine.listContainers()).map(({ id }) => id);
	const work = async () => {
		for (let id = ids.pop(); id; id = ids.pop()) await engine.removeContainer(id);
	};
	await Promise.all([work(), work(), work(), work()]);
}

async function startContainer(
	engine: Engine,
	homes: Homes,
	directory: string,
	{ volumePath: givenVolume, ...change }: ContainerWish = {},
): Promise<StartedContainer> {
	const projectId = change.projectId ?? randomUUID();
	const specification: ContainerSpecification = {
		projectId,
		generation: 1,
		slug: "demo",
		image,
		environment: { HOME: "/home/runner/demo", PATH: "/usr/bin" },
		limits: { memoryBytes: 128 * 1024 * 1024, cpus: 1, pids: 64, diskBytes: 1e9 },
		...change,
	};
	const volumePath = givenVolume ?? join(directory, projectId);
	await mkdir(volumePath, { recursive: true });
	const owner = await mappedRunnerId();
	await chown(volumePath, owner.uid, owner.gid);
	const home = await homes.make();
	const { id } = await engine.createContainer(specification, home);
	await engine.startContainer(id);
	const status = await engine.inspectContainer(id);
	if (!status?.address || !status.hardwareAddress) throw new Error("The container has no address.");
	const { pid, address, hardwareAddress } = status;
	return { id, home: home.name, volumePath, pid, address, hardwareAddress, specification };
}

/** Runs a command in a container to its end. Output of both streams, the multiplexing taken off. */
export async function execute(
	engine: Engine,
	containerId: string,
	command: readonly string[],
	options: { input?: string; environment?: Record<string, string>; workingDirectory?: string } = {},
): Promise<{ output: string; exitCode: number | null }> {
	const { execId } = await engine.createExec(containerId, {
		command,
		environment: options.environment ?? {},
		workingDirectory: options.workingDirectory ?? "/home/runner/demo",
		tty: false,
	});
	const stream = await engine.startExec(execId, false);
	const parts: Buffer[] = [];
	stream.output.on("data", (part: Buffer) => parts.push(part));
	const ended = once(stream.output, "end");
	stream.input.end(options.input ?? "");
	await ended;
	stream.close();
	const { exitCode } = await engine.inspectExec(execId);
	return { output: demultiplex(Buffer.concat(parts)), exitCode };
}

/** Frames of the engine: stream number, three zeros, length (big endian), payload. */
function demultiplex(bytes: Buffer): string {
	const payloads: Buffer[] = [];
	for (let at = 0; at < bytes.length; ) {
		const length = bytes.readUInt32BE(at + 4);
		payloads.push(bytes.subarray(at + 8, at + 8 + length));
		at += 8 + length;
	}
	return Buffer.concat(payloads).toString();
}

/** What a test must not leave behind: mounts, loop devices, interfaces and tables whose description holds the text. */
export async function findLeftovers(text: string): Promise<string[]> {
	const [mounts, loops, links, tables, processes] = await Promise.all([
		runCommand("cat", ["/proc/self/mountinfo"]),
		runCommand("losetup", ["--list", "--noheadings", "--output", "NAME,BACK-FILE"]),
		runCommand("ip", ["-oneline", "link"]),
		runCommand("nft", ["list", "tables"]),
		listCommandLines(),
	]);
	const lines = [mounts, loops, links, tables].flatMap((output) => output.split("\n"));
	return [...lines, ...processes].filter((line) => line.includes(text));
}

async function listCommandLines(): Promise<string[]> {
	const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
	const read = pids.map((pid) => runCommand("cat", [`/proc/${pid}/cmdline`]).catch(() => ""));
	return Promise.all(read);
}
