import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { type DesiredPlacement, type NetworkPolicy, openNetwork } from "@repldock/protocol";
import { type CleanupStack, createCleanupStack, createLog, runCommand } from "@repldock/service";
import { createContainerNetwork } from "../../src/network/network.ts";
import type { ShapingOptions } from "../../src/network/shaping/objects.ts";
import { createShaping } from "../../src/network/shaping/shaping.ts";

export const log = createLog("test", "silent");

/** A bridge whose cables lead to network namespaces in place of containers, and a receiver on the bridge itself. */
export interface Cables {
	bridge: string;
	/** The bridge's own address. */
	gateway: string;
	options: ShapingOptions;
	cleanup: CleanupStack;
	/** A cable with a namespace at its other end. */
	add(): Promise<Cable>;
}

export interface Cable {
	address: string;
	interfaceName: string;
	/** Stands for the process whose number leads to the cable. */
	pid: number;
	namespace: string;
}

export async function layCables(change: Partial<ShapingOptions> = {}): Promise<Cables> {
	const cleanup = createCleanupStack(createLog("test", "error"));
	const id = randomBytes(3).toString("hex");
	const bridge = `rdq${id}`;
	const [first = 0, second = 0] = randomBytes(2);
	const network = `198.${18 + (first % 2)}.${second}`;
	const gateway = `${network}.1`;
	await runCommand("ip", ["link", "add", "name", bridge, "type", "bridge"]);
	cleanup.push("bridge", async () => void (await runCommand("ip", ["link", "delete", "dev", bridge])));
	await runCommand("ip", ["address", "add", `${gateway}/24`, "dev", bridge]);
	await runCommand("ip", ["link", "set", "dev", bridge, "up"]);
	let count = 0;

	return {
		bridge,
		gateway,
		cleanup,
		options: {
			device: `rqi${id}`,
			strayDevice: `rqs${id}`,
			subnet: `${network}.0/24`,
			uplinkBitsPerSecond: 1e9,
			slots: 100,
			byOwner: true,
			ingressBitsPerSecond: undefined,
			...change,
		},
		async add() {
			count += 1;
			const namespace = `rdq${id}n${count}`;
			const interfaceName = `rdq${id}v${count}`;
			const address = `${network}.${10 + count}`;
			await runCommand("ip", ["netns", "add", namespace]);
			cleanup.push(namespace, async () => void (await runCommand("ip", ["netns", "delete", namespace])));
			const peer = ["peer", "name", "eth0", "netns", namespace];
			await runCommand("ip", ["link", "add", interfaceName, "type", "veth", ...peer]);
			await runCommand("ip", ["link", "set", "dev", interfaceName, "master", bridge, "up"]);
			await runCommand("ip", ["-n", namespace, "address", "add", `${address}/24`, "dev", "eth0"]);
			await runCommand("ip", ["-n", namespace, "link", "set", "dev", "eth0", "up"]);
			return { address, interfaceName, namespace, pid: count };
		},
	};
}

/** The node's network over these cables, as a new agent makes it. */
export function openNetworkOf(cables: Cables, all: readonly Cable[], change: { repairEveryMs?: number } = {}) {
	const shaping = createShaping(cables.options);
	const network = createContainerNetwork({
		parts: [shaping],
		traffic: shaping,
		subnet: cables.options.subnet,
		findCable: async (pid) => all.find((cable) => cable.pid === pid)?.interfaceName ?? "",
		log,
		...change,
	});
	return { shaping, network };
}

export function container({ pid, address }: Cable, containerId = `c${pid}`) {
	return { pid, address, containerId, hardwareAddress: "02:42:00:00:00:01" };
}

export function placement(
	projectId: string,
	ownerId = projectId,
	policy: Partial<NetworkPolicy> = {},
): DesiredPlacement {
	return {
		projectId,
		generation: 1,
		want: "running",
		wantVersion: 1,
		domains: [],
		slug: projectId,
		owner: { id: ownerId, name: ownerId },
		template: "node",
		visibility: "private",
		rightsVersion: 1,
		limits: { memoryBytes: 128 * 1024 * 1024, cpus: 1, pids: 64, diskBytes: 1e9 },
		network: { ...openNetwork, ...policy },
		stored: false,
		alwaysOn: false,
	};
}

/** Takes what anybody sends to the bridge and counts it by sender. */
export async function startReceiver({ gateway, cleanup }: Cables) {
	const bytes = new Map<string, number>();
	const sockets = new Set<Socket>();
	const server = createServer((socket) => {
		const from = socket.remoteAddress ?? "";
		sockets.add(socket);
		socket.on("data", (part) => bytes.set(from, (bytes.get(from) ?? 0) + part.length));
		socket.on("error", () => undefined);
		socket.on("close", () => sockets.delete(socket));
	}).listen(0, gateway);
	await once(server, "listening");
	cleanup.push("receiver", () => {
		for (const socket of sockets) socket.destroy();
		server.close();
	});
	return { port: (server.address() as { port: number }).port, from: ({ address }: Cable) => bytes.get(address) ?? 0 };
}

const flood = `
const [address, port, connections, bytes] = process.argv.slice(1);
const block = Buffer.alloc(65536);
for (let index = 0; index < Number(connections); index += 1) {
	const socket = require("node:net").connect(Number(port), address);
	let left = Number(bytes);
	const send = () => {
		while (left > 0) {
			const part = block.subarray(0, Math.min(left, block.length));
			left -= part.length;
			if (!socket.write(part)) return socket.once("drain", send);
		}
		socket.end();
	};
	socket.on("connect", send);
	socket.on("error", () => process.exit(1));
}`;

/** Sends so many bytes over each connection, or for ever. */
export function startSender(
	{ gateway, cleanup }: Cables,
	{ namespace }: Cable,
	port: number,
	{ connections = 1, bytes = Number.POSITIVE_INFINITY }: { connections?: number; bytes?: number } = {},
): ChildProcess {
	const words = [gateway, String(port), String(connections), String(bytes)];
	const child = spawn("ip", ["netns", "exec", namespace, process.execPath, "-e", flood, ...words], { stdio: "ignore" });
	cleanup.push("sender", async () => {
		if (child.exitCode !== null || child.signalCode !== null) return;
		const ended = once(child, "exit");
		child.kill("SIGKILL");
		await ended;
	});
	return child;
}
