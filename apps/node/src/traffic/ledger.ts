import { randomUUID } from "node:crypto";
import type { TrafficHour } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { SentCount } from "../holder/messages.ts";
import type { TrafficCounters } from "../network/parts.ts";
import { createLedgerFiles, type OpenPage } from "./ledger-files.ts";
import type { Incarnation } from "./sources.ts";
import { nothingYet, riseOf, riseOfOne, sumOf, type TrafficRise } from "./totals.ts";

const hourMs = 3_600_000;
/** A site that is away for longer than this loses what is older: 168 files. */
const closedHoursKept = 7 * 24;

/** Lines of one book and hour, to be told to the site. */
export interface LedgerPage {
	ledger: string;
	/** These are the hour's last lines. What was told before it was over says nothing of them. */
	over: boolean;
	lines: TrafficHour[];
}

/**
 * What each project sent and received, hour by hour. The kernel's and the holder's counters only rise; the ledger
 * remembers what they said when it last added their rise, in the same file as the sums, so that an agent that is
 * killed counts nothing twice, and loses nothing of containers that stand when the next one looks.
 */
export interface Ledger {
	/** Adds what the counters that `look` reads rose since the last time. @returns the rise, by project. */
	read(look: () => Promise<CountersRead>): Promise<Map<string, LedgerRise>>;
	/** The last counters of a container whose cable is gone; repeating it is harmless. Save soon. */
	detached(projectId: string, counters: TrafficCounters): void;
	/** Puts the sums on disk. Only what is there is told to the site: a later agent never says less. */
	save(): Promise<void>;
	/** What the site has not heard of the present hour, as saved, and the oldest hour that is over. */
	pages(): Promise<LedgerPage[]>;
	/** The site has the last lines of this hour. */
	kept(hour: number): Promise<void>;
	/** A site that knows nothing yet listens. */
	tellAll(): void;
}

/** What terminals showed is among the bytes that were sent, and has no packets. */
export type LedgerRise = TrafficRise & { refusedPackets: number; terminalBytes: number };

export interface CountersRead {
	counters: ReadonlyMap<string, TrafficCounters>;
	refused: ReadonlyMap<string, number>;
	/** What the holder sent to viewers, of all projects that it counts; null: not known now. */
	terminals: readonly Pick<SentCount, "projectId" | "count" | "sentBytes">[] | null;
	/** The containers whose counters may be believed: those of others wait until it is known which they are. */
	standing: ReadonlyMap<string, Incarnation>;
}

export async function openLedger(options: { directory: string; log: Logger; nowMs?: () => number }): Promise<Ledger> {
	const now = options.nowMs ?? Date.now;
	const thisHour = () => Math.floor(now() / hourMs);
	const files = createLedgerFiles(options.directory, options.log);
	const found = await files.readOpen();
	const page: OpenPage = found ?? {
		ledger: randomUUID(),
		hour: thisHour(),
		baselines: {},
		refused: {},
		terminals: {},
		lines: [],
	};
	/** Containers and terminals that are there already when a book begins were counted in another one, or never. */
	let isFirstReading = found === null;
	let isFirstOfTerminals = found === null;
	const lines = new Map(page.lines.map((line) => [line.projectId, line]));
	const baselines = new Map(Object.entries(page.baselines));
	const refusedBefore = new Map(Object.entries(page.refused));
	let terminalsBefore = new Map(Object.entries(page.terminals));
	/** Last counters that were added, until the project's next container. */
	const ended = new Map<string, TrafficCounters>();
	/** Projects that were detached while a reading was under way: what it read of them is out of date. */
	const readings = new Set<Set<string>>();
	let savedLines: TrafficHour[] = page.lines;
	let told = new Map<string, TrafficHour>();
	let saving = Promise.resolve();
	// An agent that was killed before it had turned the page has told nobody of the hour that it closed.
	for (const closed of await files.closedHours())
		if (closed.ledger === page.ledger && closed.hour >= page.hour) await files.removeClosed(closed);
	let toClose: { hour: number; lines: TrafficHour[] }[] = [];

	/** A clock that goes back writes on the page that is open. */
	function turnPage() {
		if (thisHour() <= page.hour) return;
		if (lines.size > 0) toClose.push({ hour: page.hour, lines: [...lines.values()] });
		lines.clear();
		page.hour = thisHour();
	}

	function add(projectId: string, generation: number, rise: Partial<TrafficHour>) {
		const before = lines.get(projectId) ?? {
			...nothingYet,
			refusedPackets: 0,
			projectId,
			generation,
			hour: page.hour,
		};
		lines.set(projectId, {
			projectId,
			generation: Math.max(generation, before.generation),
			hour: page.hour,
			...sumOf(before, rise),
		});
	}

	async function write(): Promise<void> {
		// Until the open page is replaced too, the closed one counts for nothing: see `openLedger`.
		while (toClose[0]) {
			await files.writeClosed({ ledger: page.ledger, hour: toClose[0].hour }, toClose[0].lines);
			toClose = toClose.slice(1);
		}
		const written = [...lines.values()];
		await files.writeOpen({
			...page,
			baselines: Object.fromEntries(baselines),
			refused: Object.fromEntries(refusedBefore),
			terminals: Object.fromEntries(terminalsBefore),
			lines: written,
		});
		savedLines = written;
		for (const old of (await files.closedHours()).slice(0, -closedHoursKept)) await files.removeClosed(old);
	}

	/** Whether or not there is a container: a console shows what an ended one printed. */
	function takeTerminals({ terminals, standing }: CountersRead, rises: Map<string, LedgerRise>) {
		if (!terminals) return;
		for (const { projectId, count, sentBytes } of terminals) {
			const before = terminalsBefore.get(projectId);
			const since = isFirstOfTerminals ? sentBytes : before?.count === count ? before.sentBytes : 0;
			const terminalBytes = riseOfOne(sentBytes, since);
			if (terminalBytes === 0) continue;
			const known = standing.get(projectId) ?? baselines.get(projectId) ?? lines.get(projectId);
			add(projectId, known?.generation ?? 1, { sentBytes: terminalBytes });
			const rise = rises.get(projectId) ?? { ...nothingYet, refusedPackets: 0 };
			rises.set(projectId, { ...rise, sentBytes: rise.sentBytes + terminalBytes, terminalBytes });
		}
		terminalsBefore = new Map(terminals.map(({ projectId, ...count }) => [projectId, count]));
		isFirstOfTerminals = false;
	}

	function take(read: CountersRead, detachedMeanwhile: ReadonlySet<string>) {
		turnPage();
		const rises = takeCables(read, detachedMeanwhile);
		takeTerminals(read, rises);
		return rises;
	}

	function takeCables({ counters, refused, standing }: CountersRead, detachedMeanwhile: ReadonlySet<string>) {
		const rises = new Map<string, LedgerRise>();
		for (const [projectId, { containerId, generation }] of standing) {
			const read = counters.get(projectId);
			if (!read || detachedMeanwhile.has(projectId)) continue;
			const before = baselines.get(projectId);
			const since = isFirstReading ? read : before?.containerId === containerId ? before.counters : nothingYet;
			const refusedNow = refused.get(projectId) ?? 0;
			const refusedPackets = isFirstReading ? 0 : riseOfOne(refusedNow, refusedBefore.get(projectId) ?? 0);
			const rise = { ...riseOf(read, since), refusedPackets, terminalBytes: 0 };
			baselines.set(projectId, { containerId, generation, counters: read });
			refusedBefore.set(projectId, refusedNow);
			ended.delete(projectId);
			if (Object.values(rise).some((count) => count > 0)) add(projectId, generation, rise);
			rises.set(projectId, rise);
		}
		isFirstReading = false;
		return rises;
	}

	return {
		async read(look) {
			const detachedMeanwhile = new Set<string>();
			readings.add(detachedMeanwhile);
			try {
				return take(await look(), detachedMeanwhile);
			} finally {
				readings.delete(detachedMeanwhile);
			}
		},

		detached(projectId, counters) {
			for (const detached of readings) detached.add(projectId);
			const last = ended.get(projectId);
			if (last && JSON.stringify(last) === JSON.stringify(counters)) return;
			const before = baselines.get(projectId);
			turnPage();
			add(projectId, before?.generation ?? 1, riseOf(counters, before?.counters ?? nothingYet));
			baselines.delete(projectId);
			ended.set(projectId, counters);
		},

		save() {
			saving = saving.catch(() => undefined).then(write);
			return saving;
		},

		async pages() {
			const open = savedLines.filter((line) => told.get(line.projectId) !== line);
			for (const line of open) told.set(line.projectId, line);
			const [oldest] = await files.closedHours();
			return [
				...(oldest ? [{ ledger: oldest.ledger, over: true, lines: await files.readClosed(oldest) }] : []),
				...(open.length > 0 ? [{ ledger: page.ledger, over: false, lines: open }] : []),
			];
		},

		async kept(hour) {
			for (const closed of await files.closedHours()) if (closed.hour === hour) await files.removeClosed(closed);
		},

		tellAll() {
			told = new Map();
		},
	};
}
