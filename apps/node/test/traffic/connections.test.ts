import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { runCommand } from "@repldock/service";
import { beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { countConnectionBytes, eachConnection, parseConnection } from "../../src/host/connections.ts";
import type { TrackedConnection } from "../../src/host.ts";
import { createAlerts } from "../../src/traffic/alerts.ts";
import { createConnectionMemory, destinationsKept } from "../../src/traffic/connections.ts";

vi.setConfig({ testTimeout: 90_000 });

/** Of the loopback network; the process's id keeps two runs apart. */
const source = `127.78.${process.pid % 250}.${((process.pid >> 8) % 250) + 1}`;

// It stays on: whoever else runs here may need it, and it is no limit.
beforeAll(countConnectionBytes);

const line = (part: Partial<TrackedConnection>): TrackedConnection => ({
	protocol: "tcp",
	source: "10.0.0.2",
	destination: "198.18.0.1",
	destinationPort: 443,
	answered: true,
	sentBytes: 0,
	receivedBytes: 0,
	...part,
});

test("a line of the kernel's table says who talks to whom, how much, and whether anybody answered", () => {
	const counted =
		"ipv4     2 tcp      6 421085 ESTABLISHED src=10.0.0.2 dst=198.18.0.1 sport=52906 dport=443 packets=9 bytes=1200 src=198.18.0.1 dst=192.0.2.7 sport=443 dport=52906 packets=7 bytes=90000 [ASSURED] mark=0 zone=0 use=2";
	expect(parseConnection(counted)).toEqual(line({ sentBytes: 1200, receivedBytes: 90_000 }));
	const silent =
		"ipv4     2 tcp      6 117 SYN_SENT src=10.0.0.2 dst=198.18.0.9 sport=40000 dport=81 [UNREPLIED] src=198.18.0.9 dst=10.0.0.2 sport=81 dport=40000 mark=0 use=1";
	expect(parseConnection(silent)).toEqual(line({ destination: "198.18.0.9", destinationPort: 81, answered: false }));
	expect(parseConnection("")).toBeNull();
	expect(parseConnection("conntrack v1.4.7 (conntrack-tools): 3 flow entries have been shown.")).toBeNull();
});

test("the kernel tells connections of a source with the bytes that they carried, and of nobody else", async () => {
	// Connections are tracked where a rule asks for it, as the node's filter does.
	const table = `rdt_${process.pid.toString(36)}`;
	await runCommand("nft", ["-f", "-"], {
		input: `table ip ${table} { chain output { type filter hook output priority 0; ip saddr ${source} ct state new counter; }; }`,
	});
	onTestFinished(() => runCommand("nft", ["delete", "table", "ip", table]).then(() => undefined));
	const server = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as { port: number };
	const sockets: Socket[] = [];
	onTestFinished(async () => {
		for (const socket of sockets) socket.destroy();
		server.close();
	});
	for (const localAddress of [source, "127.0.0.1"]) {
		const socket = connect({ host: "127.0.0.1", port, localAddress });
		sockets.push(socket);
		await once(socket, "connect");
		await new Promise<void>((resolve) => socket.write(Buffer.alloc(100_000), () => resolve()));
	}
	await expect
		.poll(
			async () => {
				const found: TrackedConnection[] = [];
				await eachConnection(new Set([source]), (connection) => found.push(connection));
				return found.filter(({ destinationPort }) => destinationPort === port);
			},
			{ timeout: 30_000 },
		)
		.toMatchObject([{ source, destination: "127.0.0.1", protocol: "tcp", answered: true }]);
	await expect
		.poll(
			async () => {
				let bytes = 0;
				await eachConnection(new Set([source]), (connection) => {
					if (connection.destinationPort === port) bytes = connection.sentBytes;
				});
				return bytes;
			},
			{ timeout: 30_000 },
		)
		.toBeGreaterThan(100_000);
});

test("destinations have the names that were looked up, what was carried, and how many connections are open", () => {
	const memory = createConnectionMemory((_project, address) => (address === "198.18.0.1" ? "example.org" : undefined));
	const look = (connections: TrackedConnection[], nowMs: number) => {
		const begun = memory.look();
		for (const connection of connections) begun.add("p", connection);
		return begun.finish(nowMs);
	};
	look([line({ sentBytes: 100, receivedBytes: 5 }), line({ sentBytes: 50 })], 1_000);
	look([line({ sentBytes: 130 }), line({ destination: "198.18.0.2", destinationPort: 80 })], 2_000);
	look([line({ destination: "198.18.0.2", destinationPort: 80, sentBytes: 7 })], 3_000);
	look([line({ sentBytes: 20 })], 4_000);
	expect(memory.destinations("p")).toEqual([
		{
			address: "198.18.0.1",
			name: "example.org",
			port: 443,
			protocol: "tcp",
			open: 1,
			sentBytes: 170,
			receivedBytes: 5,
			lastSeenAtMs: 4_000,
		},
		{
			address: "198.18.0.2",
			name: null,
			port: 80,
			protocol: "tcp",
			open: 0,
			sentBytes: 7,
			receivedBytes: 0,
			lastSeenAtMs: 3_000,
		},
	]);
	memory.keepOnly(new Set());
	expect(memory.destinations("p")).toEqual([]);
});

test("100,000 connections of one project fill no memory and hide no other project's", () => {
	const memory = createConnectionMemory(() => undefined);
	const look = memory.look();
	for (let index = 0; index < 100_000; index += 1)
		look.add("flood", line({ destination: `198.18.${index >> 8}.${index & 255}`, destinationPort: index & 65_535 }));
	look.add("calm", line({}));
	const counts = look.finish(1);
	expect(counts.get("flood")?.connections).toBe(100_000);
	expect(counts.get("flood")?.answeredPorts.size).toBeLessThanOrEqual(2_000);
	expect(memory.destinations("flood")).toHaveLength(destinationsKept);
	expect(memory.destinations("calm")).toHaveLength(1);
});

const limits = { scannedDestinations: 100, connections: 1_000, miningPorts: new Set([3333]) };
const quiet = { connections: 1, unanswered: 0, answeredPorts: new Map([[443, "198.18.0.1"]]) };

test("scans, storms and mining are each told once in a while, with figures; ordinary traffic is not", () => {
	const alerts = createAlerts(limits);
	alerts.observe({ projectId: "p", connections: quiet, refused: { udp: 5_000, port: 20 } }, 0);
	expect(alerts.waiting()).toEqual([]);
	alerts.observe({ projectId: "p", connections: { ...quiet, unanswered: 100 }, refused: {} }, 1_000);
	alerts.observe({ projectId: "q", connections: undefined, refused: { port: 60, "private-address": 40 } }, 1_000);
	alerts.observe({ projectId: "p", connections: { ...quiet, connections: 1_000 }, refused: {} }, 2_000);
	alerts.observe({ projectId: "q", connections: quiet, refused: { connections: 1 } }, 2_000);
	const mining = { ...quiet, answeredPorts: new Map([[3333, "198.18.0.3"]]) };
	alerts.observe({ projectId: "p", connections: mining, refused: {} }, 3_000);
	const tunnel = { uniqueNames: 900, longestName: 200 };
	alerts.observe({ projectId: "p", connections: undefined, refused: {}, names: tunnel }, 3_000);
	const crawler = { uniqueNames: 900, longestName: 60 };
	alerts.observe({ projectId: "q", connections: undefined, refused: {}, names: crawler }, 3_000);
	// The same again, soon.
	alerts.observe({ projectId: "p", connections: { ...mining, unanswered: 500 }, refused: {} }, 4_000);
	const told = alerts.waiting().map(({ projectId, kind, detail }) => `${projectId} ${kind}: ${detail}`);
	expect(told).toEqual([
		"p port-scan: Tried 100 or more addresses and ports that do not answer.",
		"q port-scan: 100 packets in one look went where nothing may be reached, and were refused.",
		"p connection-storm: Has 1000 connections at once.",
		"q connection-storm: Was refused 1 packets for having too many connections.",
		"p mining: Is connected to 198.18.0.3 on port 3333, where mining pools listen.",
		"p dns-tunnel: Asked for 900 different names in a minute, of up to 200 characters.",
	]);
	alerts.kept(alerts.waiting().map(({ id }) => id));
	expect(alerts.waiting()).toEqual([]);
	alerts.observe({ projectId: "p", connections: mining, refused: {} }, 11 * 60_000);
	expect(alerts.waiting()).toHaveLength(1);
	expect(alerts.counts().get("mining")).toBe(2);
});
