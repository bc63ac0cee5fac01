import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { openNetwork } from "@repldock/protocol";
import { type CleanupStack, createCleanupStack, createLog, runCommand } from "@repldock/service";
import { findCable } from "../../apps/node/src/host/cables.ts";
import { createNetwork } from "../../apps/node/src/host/network.ts";
import { removeShapingDevices } from "../../apps/node/src/host/shaping-devices.ts";
import {
	raiseSharedLimits,
	restoreSharedLimits,
	sharedLimitsDirectory,
} from "../../apps/node/src/host/shared-limits.ts";
import { createFilter } from "../../apps/node/src/network/filter/filter.ts";
import { type ContainerNetwork, createContainerNetwork } from "../../apps/node/src/network/network.ts";
import type { ShapingOptions } from "../../apps/node/src/network/shaping/objects.ts";
import { createShaping } from "../../apps/node/src/network/shaping/shaping.ts";
import { type StartedContainer, startMachine } from "../../apps/node/test/host/machine.ts";
import { containerPort, containerProgram } from "./container-program.ts";

/** Real containers on an engine of the bench's own, and a network namespace in place of the internet. */
export interface Lab {
	containers: StartedContainer[];
	options: ShapingOptions;
	/** The node's end of the way out. */
	outside: string;
	network: ContainerNetwork;
	/** As after a restart of the agent: another one, which finds the same. */
	restartAgent(): Promise<void>;
	attach(index: number, ownerId?: string): Promise<void>;
	detach(index: number): Promise<void>;
	/** In force when it settles. */
	setMode(index: number, mode: "open" | "closed"): Promise<void>;
	/** The node's end of the container's cable. */
	cable(pid: number): Promise<string>;
	/** Lets all containers send past the shaper, until the next repair. */
	unshape(): Promise<void>;
	/** Payload bytes received until now, by container. */
	received(): Promise<number[]>;
	/** The containers with these numbers send flat out until the call that it returns. */
	flood(indices: readonly number[], connections?: number): Promise<() => Promise<void>>;
	/** Milliseconds of small round trips to one container. */
	roundTrips(index: number, count: number): Promise<number[]>;
	cleanup: CleanupStack;
}

export const uplinkBitsPerSecond = 1e9;
/** Routed into the bench's namespace and nowhere else. */
const internet = { address: "11.11.11.11", gateway: "11.11.11.1" };
const sinkPort = 7000;
const echoPort = 7001;
const log = createLog("bench", "error");

export async function openLab(count: number, say: (line: string) => void): Promise<Lab> {
	const cleanup = createCleanupStack(log);
	try {
		return await build(count, say, cleanup);
	} catch (error) {
		await cleanup.run();
		throw error;
	}
}

async function build(count: number, say: (line: string) => void, cleanup: CleanupStack): Promise<Lab> {
	const machine = await startMachine();
	cleanup.push("machine", () => machine.release());
	const id = randomBytes(3).toString("hex");
	// Hundreds of containers need more keys than the kernel gives one user.
	await raiseSharedLimits(sharedLimitsDirectory, `bench-${id}`);
	cleanup.push("shared limits", async () => void (await restoreSharedLimits(sharedLimitsDirectory, `bench-${id}`)));
	const [namespace, outside] = [`rdb-${id}`, `rdb${id}o`];
	await runCommand("ip", ["netns", "add", namespace]);
	cleanup.push("internet", async () => void (await runCommand("ip", ["netns", "delete", namespace])));
	await runCommand("ip", ["link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", namespace]);
	await runCommand("ip", ["address", "add", `${internet.gateway}/24`, "dev", outside]);
	await runCommand("ip", ["link", "set", "dev", outside, "up"]);
	await runCommand("ip", ["-n", namespace, "address", "add", `${internet.address}/24`, "dev", "eth0"]);
	await runCommand("ip", ["-n", namespace, "link", "set", "dev", "eth0", "up"]);
	const filterOptions = { ...machine.networkOptions, egress: "open" as const, log };
	await createNetwork(filterOptions).ensure();

	const options: ShapingOptions = {
		device: `rdi${id}`,
		strayDevice: `rds${id}`,
		subnet: machine.networkOptions.subnet,
		uplinkBitsPerSecond,
		slots: 500,
		byOwner: true,
		ingressBitsPerSecond: undefined,
	};
	cleanup.push("shaper", () => removeShapingDevices([options.device, options.strayDevice]));
	const open = () => {
		const shaping = createShaping(options);
		const findCableHere = (pid: number) => findCable(pid, machine.networkOptions.bridge);
		return createContainerNetwork({
			parts: [shaping, createFilter(filterOptions)],
			traffic: shaping,
			subnet: options.subnet,
			findCable: findCableHere,
			log,
		});
	};

	const containers: StartedContainer[] = [];
	let network = open();
	const seat = (index: number, ownerId?: string) => {
		const { id, pid, address, hardwareAddress, specification } = containers[index] as StartedContainer;
		const placement = placementOf(specification.projectId, ownerId ?? specification.projectId);
		return { container: { containerId: id, pid, address, hardwareAddress }, placement };
	};
	const attach = (index: number, ownerId?: string) => {
		const { container, placement } = seat(index, ownerId);
		return network.attach(container, placement);
	};
	while (containers.length < count) {
		const wanted = Math.min(4, count - containers.length);
		const started = await Promise.all(Array.from({ length: wanted }, () => machine.startContainer()));
		const first = containers.push(...started) - started.length;
		await Promise.all(
			started.map(async ({ id }, index) => {
				await attach(first + index);
				await startProgram(id);
			}),
		);
		if (containers.length % 100 < 4) say(`${containers.length} containers`);
	}

	async function startProgram(containerId: string) {
		const { execId } = await machine.engine.createExec(containerId, {
			command: ["perl", "-e", containerProgram],
			environment: {},
			workingDirectory: "/",
			tty: true,
		});
		const stream = await machine.engine.startExec(execId, true);
		await once(stream.output, "data");
		stream.output.resume();
		cleanup.push("program", () => stream.close());
	}

	const receiver = startInside(
		namespace,
		fileURLToPath(new URL("receiver.ts", import.meta.url)),
		[internet.address, String(sinkPort)],
		cleanup,
	);
	await receiver.nextLine();

	return {
		containers,
		options,
		outside,
		get network() {
			return network;
		},
		async restartAgent() {
			await network.close();
			network = open();
			const failed = await network.adopt(containers.map((_, index) => seat(index)));
			if (failed.length > 0) throw new Error(`${failed.length} containers were not adopted`);
		},
		attach,
		detach: (index) => network.detach((containers[index] as StartedContainer).specification.projectId),
		setMode(index, mode) {
			const { placement } = seat(index);
			return network.policyChanged({ ...placement, network: { ...openNetwork, mode } });
		},
		cable: (pid) => findCable(pid, machine.networkOptions.bridge),
		async unshape() {
			const cables = await Promise.all(containers.map(({ pid }) => findCable(pid, machine.networkOptions.bridge)));
			const input = cables.map((cable) => `qdisc del dev ${cable} ingress\n`).join("");
			await runCommand("tc", ["-batch", "-"], { input });
		},
		async received() {
			receiver.child.stdin?.write("?\n");
			const counts = JSON.parse(await receiver.nextLine()) as Record<string, number>;
			return containers.map((_, index) => counts[String(index).padStart(8, "0")] ?? 0);
		},
		async flood(indices, connections = 1) {
			const sockets = await Promise.all(
				indices.map((index) => {
					const { address } = containers[index] as StartedContainer;
					return command(address, `flood ${internet.address} ${sinkPort} ${index} ${connections}`);
				}),
			);
			for (const socket of sockets) socket.write(begin);
			return async () => {
				await Promise.all(sockets.map(end));
			};
		},
		async roundTrips(index, trips) {
			const meter = startInside(
				namespace,
				fileURLToPath(new URL("round-trips.ts", import.meta.url)),
				[internet.address, String(echoPort), String(trips)],
				cleanup,
			);
			await meter.nextLine();
			const { address } = containers[index] as StartedContainer;
			const socket = await command(address, `echo ${internet.address} ${echoPort}`);
			socket.write(begin);
			const times = JSON.parse(await meter.nextLine()) as number[];
			await end(socket);
			await meter.stop();
			return times;
		},
		cleanup,
	};
}

function placementOf(projectId: string, ownerId: string) {
	return {
		projectId,
		generation: 1,
		want: "running" as const,
		wantVersion: 1,
		domains: [],
		slug: "bench",
		owner: { id: ownerId, name: ownerId },
		template: "node",
		visibility: "private" as const,
		rightsVersion: 1,
		limits: { memoryBytes: 1, cpus: 1, pids: 8, diskBytes: 1 },
		network: openNetwork,
		stored: false,
		alwaysOn: false,
	};
}

const begin = "b";

/** Settles when the container is ready to begin. */
async function command(address: string, line: string): Promise<Socket> {
	const socket = connect(containerPort, address);
	socket.on("error", () => undefined);
	await once(socket, "connect");
	socket.write(`${line}\n`);
	await once(socket, "data");
	return socket;
}

/** Settles when the container has ended what it did. */
async function end(socket: Socket): Promise<void> {
	if (socket.destroyed) return;
	const closed = once(socket, "close");
	socket.end();
	socket.resume();
	await closed;
}

function startInside(namespace: string, program: string, words: string[], cleanup: CleanupStack) {
	const child: ChildProcess = spawn("ip", ["netns", "exec", namespace, process.execPath, program, ...words], {
		stdio: ["pipe", "pipe", "inherit"],
	});
	if (!child.stdout) throw new Error("no output");
	const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	async function stop() {
		if (child.exitCode !== null || child.signalCode !== null) return;
		const ended = once(child, "exit");
		child.kill("SIGTERM");
		await ended;
	}
	cleanup.push(program, stop);
	return {
		child,
		stop,
		async nextLine(): Promise<string> {
			const { value, done } = await lines.next();
			if (done) throw new Error(`${program} ended`);
			return value;
		},
	};
}

/** Processor time that the whole machine has spent until now, in seconds. */
export function busySeconds(): number {
	const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n");
	const [user = 0, nice = 0, system = 0, , , interrupt = 0, softInterrupt = 0] = line.split(/\s+/).slice(1).map(Number);
	const ticksPerSecond = 100;
	return (user + nice + system + interrupt + softInterrupt) / ticksPerSecond;
}
