import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "@repldock/service";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import type { TrafficCounters } from "../../src/network/parts.ts";
import { type Ledger, openLedger } from "../../src/traffic/ledger.ts";
import { nothingYet } from "../../src/traffic/totals.ts";

const hourMs = 3_600_000;
const firstHour = 490_000;
const projectId = randomUUID();
let directory: string;
let nowMs: number;

beforeEach(async () => {
	directory = await mkdtemp(join(tmpdir(), "repldock-ledger-"));
	nowMs = firstHour * hourMs;
});

/** The file system is all that two ledgers of one directory share, as two agents of which the first was killed. */
async function open(): Promise<Ledger> {
	const ledger = await openLedger({ directory, log: createLog("agent", "silent"), nowMs: () => nowMs });
	onTestFinished(() => rm(directory, { recursive: true, force: true }));
	return ledger;
}

const sent = (bytes: number): TrafficCounters => ({
	...nothingYet,
	sentBytes: bytes,
	sentPackets: Math.ceil(bytes / 100),
});

function read(ledger: Ledger, counters: TrafficCounters | null, containerId = "c1", refused = 0) {
	const incarnation = { projectId, generation: 2, containerId, address: "10.0.0.2" };
	return ledger.read(async () => ({
		counters: new Map(counters ? [[projectId, counters]] : []),
		refused: new Map([[projectId, refused]]),
		terminals: [],
		standing: new Map(counters ? [[projectId, incarnation]] : []),
	}));
}

/** What a holder says of its terminals, while the project's container stands or not; null: the holder is not there. */
function readTerminals(ledger: Ledger, shown: { count: string; sentBytes: number } | null, counters?: TrafficCounters) {
	const incarnation = { projectId, generation: 2, containerId: "c1", address: "10.0.0.2" };
	return ledger.read(async () => ({
		counters: new Map(counters ? [[projectId, counters]] : []),
		refused: new Map(),
		terminals: shown && [{ projectId, ...shown }],
		standing: new Map(counters ? [[projectId, incarnation]] : []),
	}));
}

/** What the site has in the end, if it takes the greatest of what it hears of each book and hour. */
function listen() {
	const greatest = new Map<string, number>();
	const over = new Set<number>();
	return {
		async hear(ledger: Ledger) {
			for (const page of await ledger.pages()) {
				if (page.over && page.lines[0]) over.add(page.lines[0].hour);
				for (const line of page.lines) {
					const key = `${page.ledger} ${line.hour}`;
					greatest.set(key, Math.max(greatest.get(key) ?? 0, line.sentBytes));
				}
			}
		},
		/** Hours whose last lines it has. */
		over,
		sum: () => [...greatest.values()].reduce((sum, bytes) => sum + bytes, 0),
		hours: () => [...greatest.keys()].map((key) => Number(key.split(" ")[1])).sort(),
	};
}

test("an agent that is killed at any moment loses no byte of a standing container and counts none twice", async () => {
	const site = listen();
	let ledger = await open();
	await read(ledger, null);
	await ledger.save();
	let bytes = 0;
	for (let turn = 0; turn < 40; turn += 1) {
		bytes += 1000 + turn;
		await read(ledger, sent(bytes));
		// Some agents die with what they read, some after they saved it, some after they told it.
		if (turn % 3 > 0) await ledger.save();
		if (turn % 5 > 1) await site.hear(ledger);
		nowMs += hourMs / 7;
		if (turn % 4 === 3) ledger = await open();
	}
	await read(ledger, sent(bytes));
	await ledger.save();
	while ((await closedHours()).length > 0) {
		await site.hear(ledger);
		for (const hour of site.over) await ledger.kept(hour);
	}
	await site.hear(ledger);
	expect(site.sum()).toBe(bytes);
	expect(site.hours().length).toBeGreaterThan(4);
});

test("a new container begins at nothing, and its predecessor's last bytes are counted once", async () => {
	const site = listen();
	const ledger = await open();
	await read(ledger, null);
	await read(ledger, sent(700));
	ledger.detached(projectId, sent(1000));
	ledger.detached(projectId, sent(1000));
	await read(ledger, sent(2000), "c2");
	await ledger.save();
	await site.hear(ledger);
	expect(site.sum()).toBe(3000);
});

test("a container that ended while no agent looked is not taken for the one that stands now", async () => {
	const site = listen();
	const before = await open();
	await read(before, null);
	await read(before, sent(700));
	await before.save();
	const ledger = await open();
	await read(ledger, sent(800), "c2");
	await ledger.save();
	await site.hear(ledger);
	expect(site.sum()).toBe(1500);
});

test("counters that were read before the container went are not counted after it", async () => {
	const site = listen();
	const ledger = await open();
	await read(ledger, null);
	await read(ledger, sent(100));
	await ledger.read(async () => {
		const counters = new Map([[projectId, sent(400)]]);
		ledger.detached(projectId, sent(500));
		const incarnation = { projectId, generation: 2, containerId: "c1", address: "10.0.0.2" };
		return { counters, refused: new Map(), terminals: [], standing: new Map([[projectId, incarnation]]) };
	});
	await ledger.save();
	await site.hear(ledger);
	expect(site.sum()).toBe(500);
});

test("counters of the kernel that begin anew while the container stands are added, not taken off", async () => {
	const site = listen();
	const ledger = await open();
	await read(ledger, null);
	await read(ledger, sent(900));
	await read(ledger, sent(50));
	await ledger.save();
	await site.hear(ledger);
	expect(site.sum()).toBe(950);
});

test("refused packets are added up, also when the filter begins to count anew", async () => {
	const ledger = await open();
	await read(ledger, null);
	await read(ledger, sent(0), "c1", 5);
	await read(ledger, sent(0), "c1", 7);
	await read(ledger, sent(0), "c2", 3);
	await ledger.save();
	const [page] = await ledger.pages();
	expect(page?.lines).toMatchObject([{ projectId, generation: 2, hour: firstHour, refusedPackets: 10 }]);
});

test("what terminals showed is counted once over agents that are killed, holders that begin anew, and without a container", async () => {
	const site = listen();
	let ledger = await open();
	// What was shown before this book began was counted in another one.
	await readTerminals(ledger, { count: "one", sentBytes: 5_000 });
	await readTerminals(ledger, { count: "one", sentBytes: 5_700 }, sent(0));
	await ledger.save();
	// Read and not saved: the next agent reads it again.
	await readTerminals(ledger, { count: "one", sentBytes: 6_000 }, sent(10));
	ledger = await open();
	await readTerminals(ledger, null, sent(10));
	const rises = await readTerminals(ledger, { count: "one", sentBytes: 6_000 }, sent(10));
	expect(rises.get(projectId)).toMatchObject({ sentBytes: 300, sentPackets: 0, terminalBytes: 300 });
	ledger.detached(projectId, sent(10));
	await readTerminals(ledger, { count: "one", sentBytes: 6_040 });
	await ledger.save();
	await site.hear(ledger);
	expect(site.sum()).toBe(1_050);
	// A new holder has shown more already than the old one had when it was read last.
	ledger = await open();
	await readTerminals(ledger, null);
	await readTerminals(ledger, { count: "two", sentBytes: 9_000 }, sent(0));
	await readTerminals(ledger, { count: "two", sentBytes: 9_000 }, sent(0));
	await ledger.save();
	await site.hear(ledger);
	expect(site.sum()).toBe(10_050);
	ledger.tellAll();
	const [page] = await ledger.pages();
	expect(page?.lines).toMatchObject([{ projectId, generation: 2, sentBytes: 10_050 }]);
});

test("a page of before terminals were counted is read, and they are counted from its holder's beginning", async () => {
	const before = await open();
	await read(before, null);
	await read(before, sent(100));
	await before.save();
	const { terminals: _, ...page } = JSON.parse(await readFile(join(directory, "open.json"), "utf8"));
	await writeFile(join(directory, "open.json"), JSON.stringify(page));
	const ledger = await open();
	const rises = await readTerminals(ledger, { count: "one", sentBytes: 70 }, sent(100));
	expect(rises.get(projectId)).toMatchObject({ sentBytes: 70, terminalBytes: 70 });
});

test("an hour that is over stays on disk until the site has it, and is told again until then", async () => {
	const ledger = await open();
	await read(ledger, null);
	await read(ledger, sent(100));
	nowMs += hourMs;
	await read(ledger, sent(150));
	await ledger.save();
	const hours = async () => (await ledger.pages()).flatMap(({ lines }) => lines.map(({ hour }) => hour));
	expect(await hours()).toEqual([firstHour, firstHour + 1]);
	expect(await hours()).toEqual([firstHour]);
	ledger.tellAll();
	expect(await hours()).toEqual([firstHour, firstHour + 1]);
	await ledger.kept(firstHour);
	ledger.tellAll();
	expect(await hours()).toEqual([firstHour + 1]);
	expect(await closedHours()).toEqual([]);
});

test("an hour that was closed by an agent which died before it turned the page is counted once", async () => {
	const site = listen();
	const before = await open();
	await read(before, null);
	await before.save();
	const { ledger: book } = JSON.parse(await readFile(join(directory, "open.json"), "utf8"));
	// It had read 100 bytes, and had only written them to the page that is over.
	const lost = { ...sent(100), refusedPackets: 0, projectId, generation: 2, hour: firstHour };
	await writeFile(join(directory, `${book}.${firstHour}.json`), JSON.stringify([lost]));
	nowMs += hourMs;
	const ledger = await open();
	await read(ledger, sent(130));
	await ledger.save();
	await site.hear(ledger);
	expect(site.sum()).toBe(130);
});

test("nothing is told before it is on disk", async () => {
	const ledger = await open();
	await read(ledger, null);
	await read(ledger, sent(100));
	expect(await ledger.pages()).toEqual([]);
});

test("a page that is no ledger is put aside, and what was counted before is not counted again", async () => {
	const before = await open();
	await read(before, null);
	await read(before, sent(100));
	await before.save();
	const [told] = await before.pages();
	await writeFile(join(directory, "open.json"), "{");
	const ledger = await open();
	await read(ledger, sent(120));
	await read(ledger, sent(150));
	await ledger.save();
	const [page] = await ledger.pages();
	expect(page?.ledger).not.toBe(told?.ledger);
	expect(page?.lines).toMatchObject([{ sentBytes: 30 }]);
	expect((await readdir(directory)).some((name) => name.startsWith("broken-"))).toBe(true);
});

async function closedHours(): Promise<string[]> {
	return (await readdir(directory)).filter((name) => /\.\d+\.json$/.test(name));
}
