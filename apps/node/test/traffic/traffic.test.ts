import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NodeToSite } from "@repldock/protocol";
import { createLog, runCommand } from "@repldock/service";
import { expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import type { SentCount, SetPacesMessage } from "../../src/holder/messages.ts";
import type { TrackedConnection } from "../../src/host.ts";
import type { TrafficCounters } from "../../src/network/parts.ts";
import { noSources, type TrafficSources } from "../../src/traffic/sources.ts";
import type { TerminalHolder } from "../../src/traffic/terminals.ts";
import { nothingYet } from "../../src/traffic/totals.ts";
import { createTraffic, type Traffic, type TrafficNews } from "../../src/traffic/traffic.ts";

vi.setConfig({ testTimeout: 60_000 });

const projectId: string = randomUUID();
const address = "198.18.0.2";

async function temporaryDirectory(): Promise<string> {
	const directory = await mkdtemp(join(tmpdir(), "repldock-traffic-"));
	onTestFinished(() => rm(directory, { recursive: true, force: true }));
	return directory;
}

/** What a site that takes the greatest of each line has heard in the end. */
function listener() {
	const told: NodeToSite[] = [];
	return {
		told,
		tell: (message: NodeToSite) => void told.push(message),
		sum(name: keyof TrafficCounters) {
			const greatest = new Map<string, number>();
			for (const message of told) {
				if (message.type !== "trafficHours") continue;
				for (const line of message.hours) {
					const key = `${message.ledger} ${line.hour}`;
					greatest.set(key, Math.max(greatest.get(key) ?? 0, line[name]));
				}
			}
			return [...greatest.values()].reduce((sum, count) => sum + count, 0);
		},
	};
}

function start(options: {
	sources: TrafficSources;
	directory: string;
	tell: (message: NodeToSite) => void;
	connections?: () => TrackedConnection[];
	ceiling?: number | null;
	terminals?: TerminalHolder;
}): Promise<Traffic> {
	return createTraffic({
		sources: options.sources,
		standing: () => [{ projectId, generation: 1, containerId: "c1", address }],
		ceiling: () => options.ceiling ?? null,
		owner: () => "ada",
		terminals: options.terminals ?? { sent: async () => [], setPaces: async () => undefined },
		eachConnection: async (_sources, take) => options.connections?.().forEach(take),
		alerts: { scannedDestinations: 3, connections: 1_000, miningPorts: new Set([3333]) },
		directory: options.directory,
		tell: options.tell,
		log: createLog("agent", "silent"),
	});
}

const Links = z.array(
	z.object({
		stats64: z.object({
			rx: z.object({ bytes: z.int(), packets: z.int() }),
			tx: z.object({ bytes: z.int(), packets: z.int() }),
		}),
	}),
);

const RetransmitCount = z.object({ kernel: z.object({ TcpRetransSegs: z.int() }) });

/** Payload of a whole Ethernet frame's TCP segment, with its timestamps. */
const segmentBytes = 1_500 - 20 - 32;

/** A namespace in the place of a container, with a cable to this machine; its counters are the cable's. */
async function startCable() {
	const id = process.pid.toString(36);
	const [namespace, outside, inside] = [`rdt${id}`, `rdt${id}o`, `rdt${id}i`];
	const net = `198.18.${process.pid % 250}`;
	const run = (...commandArguments: string[]) => runCommand("ip", commandArguments);
	await run("netns", "add", namespace);
	onTestFinished(() => run("netns", "delete", namespace).then(() => undefined));
	await run("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", namespace);
	await run("address", "add", `${net}.1/30`, "dev", outside);
	await run("-n", namespace, "address", "add", `${net}.2/30`, "dev", inside);
	await run("link", "set", outside, "up");
	await run("-n", namespace, "link", "set", inside, "up");
	return {
		namespace,
		outsideAddress: `${net}.1`,
		async retransmittedSegments(): Promise<number> {
			const { kernel } = RetransmitCount.parse(
				JSON.parse(await run("netns", "exec", namespace, "nstat", "-asz", "--json", "TcpRetransSegs")),
			);
			return kernel.TcpRetransSegs;
		},
		async counters(): Promise<TrafficCounters> {
			const [link] = Links.parse(JSON.parse(await run("-j", "-s", "link", "show", "dev", outside)));
			if (!link) throw new Error("The cable is gone.");
			const { rx, tx } = link.stats64;
			return {
				sentBytes: rx.bytes,
				sentPackets: rx.packets,
				droppedPackets: 0,
				receivedBytes: tx.bytes,
				receivedPackets: tx.packets,
			};
		},
	};
}

test("the ledger agrees with what a receiver counted, over agents that are killed in the midst of it", async () => {
	const cable = await startCable();
	let received = 0;
	const server = createServer((socket) =>
		socket.on("data", (data) => {
			received += data.length;
		}),
	).listen(0, cable.outsideAddress);
	await once(server, "listening");
	onTestFinished(() => void server.close());
	const { port } = server.address() as { port: number };
	const eachBytes = 5_000_000;
	const program = `const socket = require("net").connect(${port}, "${cable.outsideAddress}");
		socket.end(Buffer.alloc(${eachBytes}));`;
	const send = async () => {
		const child: ChildProcess = spawn("ip", ["netns", "exec", cable.namespace, process.execPath, "-e", program], {
			stdio: "ignore",
		});
		expect(await once(child, "exit")).toEqual([0, null]);
	};

	const directory = await temporaryDirectory();
	const site = listener();
	const sources = { ...noSources, counters: async () => new Map([[projectId, await cable.counters()]]) };
	const agent = () => start({ sources, directory, tell: site.tell });
	const before = await cable.counters();
	let traffic = await agent();
	await traffic.look();
	await send();
	await traffic.look();
	// This agent is gone without a word, the next one too; what is sent meanwhile is in the kernel's counters.
	await send();
	traffic = await agent();
	await traffic.look();
	await send();
	traffic = await agent();
	traffic.siteConnected();
	await send();
	await expect.poll(() => received, { timeout: 30_000 }).toBe(4 * eachBytes);
	await traffic.look();
	// Ethernet, IP and TCP with its timestamps, of each packet that the cable counted.
	const headers = site.sum("sentPackets") * (14 + 20 + 32);
	const carried = site.sum("sentBytes") - headers;
	// What TCP sent twice went through the cable twice, and reached the receiver's program once.
	const repeated = (await cable.retransmittedSegments()) * segmentBytes;
	expect(Math.abs(carried - repeated - received) / received).toBeLessThan(0.001);
	const after = await cable.counters();
	expect(site.sum("sentBytes")).toBeLessThanOrEqual(after.sentBytes - before.sentBytes);
});

test("a viewer gets the graph so far, then samples, destinations and refusals; floor and ceiling as they are", async () => {
	let sent = 0;
	const sources: TrafficSources = {
		...noSources,
		counters: async () => new Map([[projectId, { ...nothingYet, sentBytes: sent }]]),
		refusals: async () => new Map([[projectId, { udp: 4, port: 0 }]]),
		shares: () => ({ uplinkBitsPerSecond: 1_000, floorBitsPerSecond: 100, byOwner: true }),
		nameOf: () => "example.org",
	};
	const connection = {
		protocol: "tcp",
		source: address,
		destination: "198.18.0.1",
		destinationPort: 443,
		answered: true,
		sentBytes: 10,
		receivedBytes: 20,
	};
	const site = listener();
	const traffic = await start({
		sources,
		directory: await temporaryDirectory(),
		tell: site.tell,
		connections: () => [connection],
		ceiling: 50,
	});
	await traffic.look();
	sent = 1_000;
	await traffic.look();
	const news: TrafficNews[] = [];
	const leave = traffic.follow(projectId, (latest) => news.push(latest));
	expect(news).toMatchObject([{ reset: true, floorBitsPerSecond: 50, ceilingBitsPerSecond: 50 }]);
	expect(news[0]?.samples).toHaveLength(2);
	expect(news[0]?.samples[1]?.sentBitsPerSecond).toBeGreaterThan(0);
	expect(news[0]?.details).toMatchObject({
		destinations: [{ address: "198.18.0.1", name: "example.org", port: 443, open: 1 }],
		refused: [{ reason: "udp", packets: 4 }],
	});
	await traffic.look();
	expect(news.slice(1)).toMatchObject([
		{ reset: false, samples: [{ sentBitsPerSecond: 0 }], details: null },
		{ reset: false, samples: [], details: { refused: [{ reason: "udp" }] } },
	]);
	leave();
	leave();
	await traffic.look();
	expect(news).toHaveLength(3);
	const present = site.told.filter((message) => message.type === "traffic").at(1)?.traffic;
	expect(present).toMatchObject({ uplinkBitsPerSecond: 1_000, top: [{ projectId, connections: 1 }] });
	expect(present?.top[0]?.sentBitsPerSecond).toBe(present?.sentBitsPerSecond);
});

test("last counters that the shaper tells are in the ledger, and an alert is told until the site has it", async () => {
	let detach = (_projectId: string, _counters: TrafficCounters) => {};
	const sources: TrafficSources = {
		...noSources,
		onDetached(listen) {
			detach = listen;
		},
	};
	const silent = (destinationPort: number): TrackedConnection => ({
		protocol: "tcp",
		source: address,
		destination: "198.18.0.1",
		destinationPort,
		answered: false,
		sentBytes: 0,
		receivedBytes: 0,
	});
	const site = listener();
	const traffic = await start({
		sources,
		directory: await temporaryDirectory(),
		tell: site.tell,
		connections: () => [silent(1), silent(2), silent(3)],
	});
	detach(projectId, { ...nothingYet, sentBytes: 700 });
	await traffic.look();
	expect(site.sum("sentBytes")).toBe(700);
	await traffic.look();
	const alerts = () => site.told.filter((message) => message.type === "alerts");
	expect(alerts()).toHaveLength(2);
	expect(alerts()[0]?.alerts).toMatchObject([{ projectId, kind: "port-scan" }]);
	traffic.alertsKept(alerts()[0]?.alerts.map(({ id }) => id) ?? []);
	await traffic.look();
	expect(alerts()).toHaveLength(2);
	expect(traffic.metrics().find(({ name }) => name === "repldock_node_alerts_total")?.values).toEqual([
		{ labels: { kind: "port-scan" }, value: 1 },
	]);
});

test("what is measured of a node that is asked in vain is told when it answers again", async () => {
	let isAway = true;
	const site = listener();
	const sources: TrafficSources = {
		...noSources,
		async counters() {
			if (isAway) throw new Error("tc does not answer");
			return new Map([[projectId, nothingYet]]);
		},
	};
	const traffic = await start({ sources, directory: await temporaryDirectory(), tell: site.tell });
	await expect(traffic.look()).rejects.toThrow("tc does not answer");
	expect(site.told).toEqual([]);
	isAway = false;
	await traffic.look();
	expect(site.told.map(({ type }) => type)).toEqual(["traffic"]);
});

test("terminals have the floor beside a busy container, the uplink beside an idle one, and are counted", async () => {
	const uplinkBitsPerSecond = 80_000_000;
	const floorBitsPerSecond = 8_000_000;
	let containerBytes = 0;
	const sources: TrafficSources = {
		...noSources,
		counters: async () => new Map([[projectId, { ...nothingYet, sentBytes: containerBytes }]]),
		shares: () => ({ uplinkBitsPerSecond, floorBitsPerSecond, byOwner: true }),
	};
	const count: SentCount = { projectId, count: "one", sentBytes: 0, waits: false };
	const told: SetPacesMessage[] = [];
	let isAway = false;
	const terminals: TerminalHolder = {
		async sent() {
			if (isAway) throw new Error("there is no holder");
			return [{ ...count }];
		},
		setPaces: async (message) => void told.push(message),
	};
	const site = listener();
	const traffic = await start({ sources, directory: await temporaryDirectory(), tell: site.tell, terminals });
	traffic.holderConnected();
	await traffic.look();
	expect(told).toEqual([{ bytesPerSecond: 1_000_000, projects: {} }]);

	// By what was measured last, nobody sends anything.
	traffic.terminalsWait(projectId);
	expect(told.at(-1)).toEqual({ bytesPerSecond: 1_000_000, projects: { [projectId]: 10_000_000 } });

	containerBytes += 1e12;
	Object.assign(count, { sentBytes: 50_000, waits: true });
	await traffic.look();
	expect(told.at(-1)).toEqual({ bytesPerSecond: 1_000_000, projects: { [projectId]: 1_000_000 } });
	expect(site.sum("sentBytes")).toBe(1e12 + 50_000);
	expect(site.told.filter((message) => message.type === "traffic").at(-1)?.traffic.top).toMatchObject([{ projectId }]);
	const metric = (wanted: string) => traffic.metrics().find(({ name }) => name === wanted)?.values;
	expect(metric("repldock_node_terminal_bytes_total")).toEqual([{ value: 50_000 }]);
	expect(metric("repldock_node_sent_bytes_total")).toEqual([{ value: 1e12 }]);

	// The holder is away: nothing is said, and what it counted meanwhile is read when it answers.
	isAway = true;
	await traffic.look();
	isAway = false;
	Object.assign(count, { sentBytes: 60_000, waits: false });
	traffic.holderConnected();
	expect(told.at(-1)?.projects).toEqual({ [projectId]: 1_000_000 });
	await traffic.look();
	await traffic.look();
	expect(told.at(-1)).toEqual({ bytesPerSecond: 1_000_000, projects: {} });
	expect(site.sum("sentBytes")).toBe(1e12 + 60_000);
});

test("it is measured every second while terminals want more than their floor", async () => {
	let isBusy = true;
	let looks = 0;
	const sources: TrafficSources = {
		...noSources,
		counters: async () => {
			looks += 1;
			return new Map();
		},
		shares: () => ({ uplinkBitsPerSecond: 80_000, floorBitsPerSecond: 8_000, byOwner: false }),
	};
	const terminals: TerminalHolder = {
		sent: async () => [{ projectId, count: "one", sentBytes: 0, waits: isBusy }],
		setPaces: async () => undefined,
	};
	const traffic = await start({ sources, directory: await temporaryDirectory(), tell: () => {}, terminals });
	const ended = new AbortController();
	const running = traffic.run(ended.signal);
	await expect.poll(() => looks, { timeout: 30_000 }).toBeGreaterThan(4);
	isBusy = false;
	ended.abort();
	await running;
});
