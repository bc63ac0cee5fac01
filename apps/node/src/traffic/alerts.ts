import { randomUUID } from "node:crypto";
import type { NetworkAlert, NetworkAlertKind } from "@repldock/protocol";
import type { RefusalReason } from "../network/parts.ts";
import type { ConnectionCount } from "./connections.ts";

/** From which figures on something is told. Figures are of one look, which comes every ten seconds. */
export interface AlertLimits {
	/** Distinct addresses and ports that never answered, or packets refused for going where nobody may. */
	scannedDestinations: number;
	/** Connections of one project. */
	connections: number;
	/** Ports on which mining pools listen. */
	miningPorts: ReadonlySet<number>;
}

/** Data on its way out by DNS: names that nobody asks twice, and long ones. A crawler's many names are short. */
const tunnel = { uniqueNames: 300, longestName: 100 };

/** The same is not told again of a project for this long. */
const quietForMs = 10 * 60_000;
/** Alerts that wait for a site that is away; the oldest leave. */
const waitingMost = 100;

/** What goes out to places that have nothing to answer. */
const scanReasons: readonly RefusalReason[] = [
	"port",
	"private-address",
	"site",
	"neighbour",
	"node",
	"not-allowed",
	"spoofed",
];

/** What one look found of a project. */
export interface Observation {
	projectId: string;
	connections: ConnectionCount | undefined;
	/** Packets refused since the last look. */
	refused: Partial<Record<RefusalReason, number>>;
	/** How it asked for names within the last minute; undefined when it did not. */
	names?: { uniqueNames: number; longestName: number } | undefined;
}

/** Finds floods, tells each once, and keeps what is not told yet. */
export interface Alerts {
	observe(observation: Observation, nowMs: number): void;
	/** Not yet known to be with the site, the oldest first. */
	waiting(): NetworkAlert[];
	kept(ids: readonly string[]): void;
	/** How many there were of each kind since the agent started. */
	counts(): ReadonlyMap<NetworkAlertKind, number>;
}

export function createAlerts(limits: AlertLimits): Alerts {
	const toldAtMs = new Map<string, number>();
	const counts = new Map<NetworkAlertKind, number>();
	let waiting: NetworkAlert[] = [];

	function report(projectId: string, kind: NetworkAlertKind, detail: string, nowMs: number) {
		for (const [key, atMs] of toldAtMs) if (nowMs - atMs >= quietForMs) toldAtMs.delete(key);
		const key = `${kind} ${projectId}`;
		if (toldAtMs.has(key)) return;
		toldAtMs.set(key, nowMs);
		counts.set(kind, (counts.get(kind) ?? 0) + 1);
		waiting = [...waiting, { id: randomUUID(), projectId, kind, detail: detail.slice(0, 500), atMs: nowMs }];
		waiting = waiting.slice(-waitingMost);
	}

	return {
		observe({ projectId, connections, refused, names }, nowMs) {
			const tell = (kind: NetworkAlertKind, detail: string) => report(projectId, kind, detail, nowMs);
			const unanswered = connections?.unanswered ?? 0;
			const strayed = scanReasons.reduce((sum, reason) => sum + (refused[reason] ?? 0), 0);
			if (unanswered >= limits.scannedDestinations)
				tell("port-scan", `Tried ${unanswered} or more addresses and ports that do not answer.`);
			else if (strayed >= limits.scannedDestinations)
				tell("port-scan", `${strayed} packets in one look went where nothing may be reached, and were refused.`);
			if (names && names.uniqueNames >= tunnel.uniqueNames && names.longestName >= tunnel.longestName)
				tell(
					"dns-tunnel",
					`Asked for ${names.uniqueNames} different names in a minute, of up to ${names.longestName} characters.`,
				);
			const open = connections?.connections ?? 0;
			if (open >= limits.connections) tell("connection-storm", `Has ${open} connections at once.`);
			else if ((refused.connections ?? 0) > 0)
				tell("connection-storm", `Was refused ${refused.connections} packets for having too many connections.`);
			for (const [port, address] of connections?.answeredPorts ?? []) {
				if (limits.miningPorts.has(port))
					tell("mining", `Is connected to ${address} on port ${port}, where mining pools listen.`);
			}
		},

		waiting: () => waiting,
		kept(ids) {
			waiting = waiting.filter(({ id }) => !ids.includes(id));
		},
		counts: () => counts,
	};
}
