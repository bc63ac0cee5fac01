import type { TrafficTotals } from "@repldock/protocol";
import type { TrafficCounters } from "../network/parts.ts";

/** What went over the cable since an earlier reading. */
export type TrafficRise = TrafficCounters;

export const nothingYet: TrafficCounters = {
	sentBytes: 0,
	sentPackets: 0,
	droppedPackets: 0,
	receivedBytes: 0,
	receivedPackets: 0,
};

/**
 * The rise of counters. Ones that are below what they were began anew (the kernel's object was made again), so that what
 * they say now is the rise.
 */
export function riseOf(now: TrafficCounters, before: TrafficCounters): TrafficRise {
	const rise = (name: keyof TrafficCounters) => riseOfOne(now[name], before[name]);
	return {
		sentBytes: rise("sentBytes"),
		sentPackets: rise("sentPackets"),
		droppedPackets: rise("droppedPackets"),
		receivedBytes: rise("receivedBytes"),
		receivedPackets: rise("receivedPackets"),
	};
}

export function riseOfOne(now: number, before: number): number {
	return now >= before ? now - before : now;
}

export function sumOf(totals: TrafficTotals, rise: Partial<TrafficTotals>): TrafficTotals {
	const sum = (name: keyof TrafficTotals) => totals[name] + (rise[name] ?? 0);
	return {
		sentBytes: sum("sentBytes"),
		sentPackets: sum("sentPackets"),
		droppedPackets: sum("droppedPackets"),
		receivedBytes: sum("receivedBytes"),
		receivedPackets: sum("receivedPackets"),
		refusedPackets: sum("refusedPackets"),
	};
}
