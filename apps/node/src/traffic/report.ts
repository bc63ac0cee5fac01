import type { NodeTraffic, TrafficRate } from "@repldock/protocol";
import type { ConnectionCount } from "./connections.ts";
import type { LedgerRise } from "./ledger.ts";
import type { TrafficSources } from "./sources.ts";

/** Projects that a report names; what the others do is in its sums. */
const topMost = 50;

/** Gathers what rose between two reports to the site. */
export interface Report {
	add(projectId: string, rise: LedgerRise): void;
	/** How the network stood since the last call. */
	take(shares: ReturnType<TrafficSources["shares"]>, connections: ReadonlyMap<string, ConnectionCount>): NodeTraffic;
}

export function createReport(): Report {
	let risen = new Map<string, LedgerRise>();
	let sinceMs = performance.now();
	return {
		add(projectId, rise) {
			risen.set(projectId, sumOfRises(risen.get(projectId), rise));
		},

		take({ uplinkBitsPerSecond, floorBitsPerSecond }, connections) {
			const elapsedMs = Math.max(1, performance.now() - sinceMs);
			const rates = [...risen].map(
				([projectId, rise]): TrafficRate => ({
					projectId,
					sentBitsPerSecond: perSecond(rise.sentBytes, elapsedMs),
					receivedBitsPerSecond: perSecond(rise.receivedBytes, elapsedMs),
					refusedPackets: rise.refusedPackets,
					connections: connections.get(projectId)?.connections ?? 0,
				}),
			);
			risen = new Map();
			sinceMs = performance.now();
			const sum = (name: "sentBitsPerSecond" | "receivedBitsPerSecond" | "refusedPackets") =>
				rates.reduce((all, rate) => all + rate[name], 0);
			return {
				atMs: Date.now(),
				uplinkBitsPerSecond,
				floorBitsPerSecond,
				sentBitsPerSecond: sum("sentBitsPerSecond"),
				receivedBitsPerSecond: sum("receivedBitsPerSecond"),
				refusedPackets: sum("refusedPackets"),
				top: rates
					.filter(isBusy)
					.sort((one, other) => carried(other) - carried(one))
					.slice(0, topMost),
			};
		},
	};
}

export function perSecond(bytes: number, elapsedMs: number): number {
	return Math.round((bytes * 8 * 1000) / elapsedMs);
}

function isBusy(rate: TrafficRate): boolean {
	return carried(rate) + rate.refusedPackets + rate.connections > 0;
}

function carried({ sentBitsPerSecond, receivedBitsPerSecond }: TrafficRate): number {
	return sentBitsPerSecond + receivedBitsPerSecond;
}

function sumOfRises(one: LedgerRise | undefined, other: LedgerRise): LedgerRise {
	if (!one) return other;
	return {
		sentBytes: one.sentBytes + other.sentBytes,
		sentPackets: one.sentPackets + other.sentPackets,
		droppedPackets: one.droppedPackets + other.droppedPackets,
		receivedBytes: one.receivedBytes + other.receivedBytes,
		receivedPackets: one.receivedPackets + other.receivedPackets,
		refusedPackets: one.refusedPackets + other.refusedPackets,
		terminalBytes: one.terminalBytes + other.terminalBytes,
	};
}
