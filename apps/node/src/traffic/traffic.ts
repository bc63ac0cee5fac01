import { setTimeout as wait } from "node:timers/promises";
import type { NodeToSite, TrafficDetails, TrafficSample } from "@repldock/protocol";
import type { Logger, Metric } from "@repldock/service";
import type { TrackedConnection } from "../host.ts";
import type { RefusalReason } from "../network/parts.ts";
import { type AlertLimits, createAlerts } from "./alerts.ts";
import { type ConnectionCount, createConnectionMemory } from "./connections.ts";
import { createGraph } from "./graph.ts";
import { openLedger } from "./ledger.ts";
import { createNodeTotals } from "./node-totals.ts";
import { createReport, perSecond } from "./report.ts";
import type { Incarnation, TrafficSources } from "./sources.ts";
import { createTerminals, type TerminalHolder } from "./terminals.ts";

/** What a viewer of one project gets: `reset` with the first samples, which stand for all before. */
export interface TrafficNews {
	reset: boolean;
	samples: TrafficSample[];
	floorBitsPerSecond: number;
	ceilingBitsPerSecond: number;
	/** Null: as before. */
	details: TrafficDetails | null;
}

/** Measures what projects send and receive, for their owners, the site's ledger and the operator. */
export interface Traffic {
	/**
	 * Looks every second while somebody watches or terminals want more than their floor, else every ten; until the
	 * signal aborts. Call it once.
	 */
	run(signal: AbortSignal): Promise<void>;
	/** Looks at everything now, puts it on disk and tells the site. Calls that come meanwhile share the next look. */
	look(): Promise<void>;
	/** Sends what there is at once, then each sample. Returns what ends it; ending it twice is harmless. */
	follow(projectId: string, send: (news: TrafficNews) => void): () => void;
	/** A project's terminals begin to wait for their pace. */
	terminalsWait(projectId: string): void;
	/** A holder listens that may know no paces. */
	holderConnected(): void;
	/** A site listens that may know nothing. */
	siteConnected(): void;
	trafficKept(hours: readonly number[]): void;
	alertsKept(ids: readonly string[]): void;
	metrics(): Metric[];
}

export interface TrafficOptions {
	sources: TrafficSources;
	/** The containers that stand now. */
	standing(): readonly Incarnation[];
	terminals: TerminalHolder;
	/** Whose project it is. */
	owner(projectId: string): string;
	/** The most that a project may send by its plan and by what an operator said; null: as much as there is. */
	ceiling(projectId: string): number | null;
	eachConnection(
		sources: { has(address: string): boolean },
		take: (connection: TrackedConnection) => void,
	): Promise<void>;
	alerts: AlertLimits;
	/** Where the ledger lies. */
	directory: string;
	/** While the site is away nothing is kept here: the ledger and the alerts keep what is not told. */
	tell(message: NodeToSite): void;
	log: Logger;
}

const watchedEveryMs = 1_000;
/** A whole look: all projects, their connections, the disk, the site. */
const wholeLookEvery = 10;

export async function createTraffic(options: TrafficOptions): Promise<Traffic> {
	const { sources, log } = options;
	const ledger = await openLedger({ directory: options.directory, log });
	const graph = createGraph();
	const memory = createConnectionMemory(sources.nameOf);
	const alerts = createAlerts(options.alerts);
	const totals = createNodeTotals();
	const report = createReport();
	const { owner, ceiling } = options;
	const terminals = createTerminals({ holder: options.terminals, shares: sources.shares, owner, ceiling, log });
	const viewers = new Map<string, Set<(news: TrafficNews) => void>>();
	let connections = new Map<string, ConnectionCount>();
	let refusals: ReadonlyMap<string, Partial<Record<RefusalReason, number>>> = new Map();
	let sampledAtMs = performance.now();
	let connectionsAreRead = true;
	let sampling: Promise<void> | undefined;
	let underWay = Promise.resolve();
	let waiting: Promise<void> | undefined;

	const standingByProject = () => new Map(options.standing().map((one) => [one.projectId, one]));

	/** Adds what the counters rose to the ledger and the graphs. One reading at a time. */
	function sample(): Promise<void> {
		sampling ??= takeSample().finally(() => {
			sampling = undefined;
		});
		return sampling;
	}

	async function takeSample(): Promise<void> {
		const shown = terminals.counts();
		const rises = await ledger.read(async () => {
			const [counters, refused, counts] = await Promise.all([sources.counters(), sources.refusals(), shown]);
			refusals = refused;
			const packets = [...refused].map(([projectId, reasons]) => [projectId, sumOfReasons(reasons)] as const);
			return { counters, refused: new Map(packets), terminals: counts, standing: standingByProject() };
		});
		const elapsedMs = Math.max(1, performance.now() - sampledAtMs);
		sampledAtMs = performance.now();
		terminals.measured(await shown, rises, elapsedMs);
		const atMs = Date.now();
		for (const [projectId, rise] of rises) {
			report.add(projectId, rise);
			totals.add(rise);
			graph.add(projectId, {
				atMs,
				sentBitsPerSecond: perSecond(rise.sentBytes, elapsedMs),
				receivedBitsPerSecond: perSecond(rise.receivedBytes, elapsedMs),
			});
		}
		for (const projectId of viewers.keys()) {
			// A graph goes on while the container stands still or is gone.
			if (!rises.has(projectId)) graph.add(projectId, { atMs, sentBitsPerSecond: 0, receivedBitsPerSecond: 0 });
			const latest = graph.samples(projectId).at(-1);
			if (latest) tellViewers(projectId, [latest], null);
		}
	}

	function tellViewers(projectId: string, samples: TrafficSample[], details: TrafficDetails | null) {
		for (const send of viewers.get(projectId) ?? []) send({ reset: false, samples, ...bounds(projectId), details });
	}

	function bounds(projectId: string): Pick<TrafficNews, "floorBitsPerSecond" | "ceilingBitsPerSecond"> {
		const { uplinkBitsPerSecond, floorBitsPerSecond } = sources.shares();
		const ceilingBitsPerSecond = Math.min(options.ceiling(projectId) ?? uplinkBitsPerSecond, uplinkBitsPerSecond);
		return { floorBitsPerSecond: Math.min(floorBitsPerSecond, ceilingBitsPerSecond), ceilingBitsPerSecond };
	}

	function details(projectId: string): TrafficDetails {
		const refused = Object.entries(refusals.get(projectId) ?? {}).filter(([, packets]) => packets > 0);
		return {
			destinations: memory.destinations(projectId),
			refused: refused.map(([reason, packets]) => ({ reason, packets })),
		};
	}

	async function lookAtConnections(): Promise<void> {
		const standing = standingByProject();
		const projectAt = new Map([...standing.values()].map(({ address, projectId }) => [address, projectId]));
		const look = memory.look();
		await options.eachConnection(projectAt, (connection) => {
			const projectId = projectAt.get(connection.source);
			if (projectId !== undefined) look.add(projectId, connection);
		});
		connections = look.finish(Date.now());
		const known = new Set([...standing.keys(), ...viewers.keys()]);
		memory.keepOnly(known);
		graph.keepOnly(known);
	}

	let refusedBefore: typeof refusals = new Map();
	function observe() {
		for (const projectId of new Set([...standingByProject().keys(), ...connections.keys(), ...refusals.keys()])) {
			const refused = riseByReason(refusals.get(projectId) ?? {}, refusedBefore.get(projectId) ?? {});
			const names = sources.nameUse(projectId);
			alerts.observe({ projectId, connections: connections.get(projectId), refused, names }, Date.now());
		}
		refusedBefore = refusals;
	}

	async function tellSite(): Promise<void> {
		options.tell({ type: "traffic", traffic: report.take(sources.shares(), connections) });
		for (const { lines, ...page } of await ledger.pages())
			options.tell({ type: "trafficHours", ...page, hours: lines });
		const untold = alerts.waiting();
		if (untold.length > 0) options.tell({ type: "alerts", alerts: untold });
	}

	async function wholeLook(): Promise<void> {
		await sample();
		await ledger.save();
		await lookAtConnections().then(
			() => {
				connectionsAreRead = true;
			},
			(error: unknown) => {
				// Once, not at every look: the rest is measured all the same.
				if (connectionsAreRead) log.warn({ err: error }, "the kernel's table of connections cannot be read");
				connectionsAreRead = false;
			},
		);
		observe();
		for (const projectId of viewers.keys()) tellViewers(projectId, [], details(projectId));
		await tellSite();
	}

	sources.onDetached((projectId, counters) => {
		ledger.detached(projectId, counters);
		void ledger.save().catch((error: unknown) => log.error({ err: error }, notSaved));
	});

	const traffic: Traffic = {
		async run(signal) {
			for (let turn = 0; !signal.aborted; turn += 1) {
				const isFollowed = viewers.size > 0 || terminals.areBusy;
				const work = turn % wholeLookEvery === 0 ? traffic.look() : isFollowed ? sample() : undefined;
				await work?.catch((error: unknown) => log.error({ err: error }, "traffic was not measured"));
				// Rejects when the signal aborts, which the loop's condition then sees.
				await wait(watchedEveryMs, undefined, { signal }).catch(() => undefined);
			}
			// What was counted since the last look is in the kernel still, for the next agent.
			await underWay;
			await ledger.save().catch((error: unknown) => log.error({ err: error }, notSaved));
		},

		look() {
			if (waiting) return waiting;
			const mine = underWay.then(() => {
				waiting = undefined;
				return wholeLook();
			});
			waiting = mine;
			underWay = mine.catch(() => undefined);
			return mine;
		},

		follow(projectId, send) {
			const others = viewers.get(projectId) ?? new Set();
			viewers.set(projectId, others.add(send));
			send({
				reset: true,
				samples: [...graph.samples(projectId)],
				...bounds(projectId),
				details: details(projectId),
			});
			return () => {
				others.delete(send);
				if (others.size === 0 && viewers.get(projectId) === others) viewers.delete(projectId);
			};
		},

		terminalsWait: terminals.waits,
		holderConnected: terminals.tellAgain,
		siteConnected: () => ledger.tellAll(),

		trafficKept(hours) {
			for (const hour of hours)
				ledger
					.kept(hour)
					.catch((error: unknown) => log.warn({ err: error, hour }, "an hour that is told stayed on disk"));
		},

		alertsKept: alerts.kept,
		metrics: () => totals.metrics({ shares: sources.shares(), connections, alerts: alerts.counts(), refusals }),
	};
	return traffic;
}

const notSaved = "the traffic ledger was not saved; what it counted is counted again at the next look";

function sumOfReasons(reasons: Partial<Record<RefusalReason, number>>): number {
	return Object.values(reasons).reduce((sum, packets) => sum + packets, 0);
}

function riseByReason(
	now: Partial<Record<RefusalReason, number>>,
	before: Partial<Record<RefusalReason, number>>,
): Partial<Record<RefusalReason, number>> {
	const rises = Object.entries(now).map(([reason, packets]) => {
		const earlier = before[reason as RefusalReason] ?? 0;
		return [reason, packets >= earlier ? packets - earlier : packets];
	});
	return Object.fromEntries(rises);
}
