import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CleanupStack, createCleanupStack, createLog, runCommand } from "@repldock/service";

/**
 * A small internet of its own: visitors, the edge and the containers each in a network namespace, one cable between
 * neighbours. Nothing in it reaches the machine or anything beyond.
 */
export interface Lab {
	/** Where its programs keep their files. */
	directory: string;
	/** The edge's address, as visitors see it. */
	edgeAddress: string;
	/** Containers' subnet; `containerAddress(n)` is in it for n from 0 to 999. */
	containerSubnet: string;
	containerAddress(index: number): string;
	/** Starts a program in a place, ended with the lab. */
	start(place: Place, program: string, programArguments: readonly string[]): ChildProcess;
	/** Runs a program in a place to its end. @returns what it printed. */
	run(place: Place, program: string, programArguments: readonly string[]): Promise<string>;
	cleanup: CleanupStack;
}

export type Place = "visitors" | "edge" | "containers";

const places: readonly Place[] = ["visitors", "edge", "containers"];
const visitorsAddress = "198.18.0.2";
const edgeAddress = "198.18.0.1";
const containerGateway = "198.19.0.1";
const mostContainers = 1000;

export async function openLab(): Promise<Lab> {
	const cleanup = createCleanupStack(createLog("bench", "error"));
	try {
		return await build(cleanup);
	} catch (error) {
		await cleanup.run();
		throw error;
	}
}

async function build(cleanup: CleanupStack): Promise<Lab> {
	const directory = await mkdtemp(join(tmpdir(), "repldock-bench-"));
	cleanup.push("directory", () => rm(directory, { recursive: true, force: true }));
	await chmod(directory, 0o755);
	const id = randomBytes(3).toString("hex");
	const name = (place: Place) => `rdb-${id}-${place}`;
	const enter = (place: Place) => `--net=/run/netns/${name(place)}`;

	for (const place of places) {
		await runCommand("ip", ["netns", "add", name(place)]);
		cleanup.push(place, async () => void (await runCommand("ip", ["netns", "delete", name(place)])));
		await runCommand("ip", ["-n", name(place), "link", "set", "lo", "up"]);
	}

	async function connect(one: Place, oneAddress: string, other: Place, otherAddress: string) {
		const [left, right] = [`rdb${id}${one[0]}${other[0]}`, `rdb${id}${other[0]}${one[0]}`];
		await runCommand("ip", [
			...["link", "add", left, "netns", name(one), "type", "veth"],
			...["peer", "name", right, "netns", name(other)],
		]);
		for (const [place, device, address] of [
			[one, left, oneAddress],
			[other, right, otherAddress],
		] as const) {
			await runCommand("ip", ["-n", name(place), "address", "add", address, "dev", device]);
			await runCommand("ip", ["-n", name(place), "link", "set", device, "up"]);
		}
	}
	await connect("visitors", `${visitorsAddress}/24`, "edge", `${edgeAddress}/24`);
	await connect("edge", `${containerGateway}/20`, "containers", "198.19.0.2/20");
	// One device with all containers' addresses: what is measured is the edge, not the kernel's bridge.
	const addresses = Array.from({ length: mostContainers }, (_, index) => containerAddress(index));
	const batch = addresses.map((address) => `address add ${address}/32 dev lo`).join("\n");
	await runCommand("ip", ["-n", name("containers"), "-batch", "-"], { input: `${batch}\n` });

	return {
		directory,
		edgeAddress,
		containerSubnet: "198.19.0.0/20",
		containerAddress,
		start(place, program, programArguments) {
			const child = spawn("nsenter", [enter(place), program, ...programArguments], { stdio: "ignore" });
			cleanup.push(program, async () => {
				if (child.exitCode !== null || child.signalCode !== null) return;
				const ended = once(child, "exit");
				child.kill("SIGTERM");
				await ended;
			});
			return child;
		},
		run: (place, program, programArguments) =>
			runCommand("nsenter", [enter(place), program, ...programArguments], { timeoutMs: 120_000 }),
		cleanup,
	};
}

function containerAddress(index: number): string {
	return `198.19.${1 + Math.floor(index / 250)}.${1 + (index % 250)}`;
}
