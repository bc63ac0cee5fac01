import { setTimeout as delay } from "node:timers/promises";
import { type Figure, quantile } from "../support/report.ts";
import { type Lab, uplinkBitsPerSecond } from "./lab.ts";

/** Connections grow to their share before it is counted. */
const warmUpMs = 3_000;

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]) => sum(values) / values.length;

/** 1 when all are equal, 1/n when one has all. */
function jain(values: readonly number[]): number {
	return sum(values) ** 2 / (values.length * sum(values.map((value) => value ** 2)));
}

/** Everything the containers put on the wire, with headers, as the shaper counts it. */
async function sentBytes(lab: Lab): Promise<number> {
	return sum([...(await lab.network.counters()).values()].map((counters) => counters.sentBytes));
}

/** Payload that each of these got through in the time, once all send. */
async function measure(
	lab: Lab,
	seconds: number,
): Promise<{ received: number[]; totalBitsPerSecond: number; seconds: number }> {
	await delay(warmUpMs);
	const startedAtMs = performance.now();
	const [before, sentBefore] = [await lab.received(), await sentBytes(lab)];
	await delay(seconds * 1000);
	const [after, sentAfter] = [await lab.received(), await sentBytes(lab)];
	const took = (performance.now() - startedAtMs) / 1000;
	return {
		received: after.map((value, index) => value - (before[index] ?? 0)),
		totalBitsPerSecond: ((sentAfter - sentBefore) * 8) / took,
		seconds: took,
	};
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

function least(name: string, value: number, unit: string, goal: number): Figure {
	return { name, value, unit, runs: 1, goal: `>= ${goal}`, met: value >= goal };
}

export async function measureAll(lab: Lab, seconds: number): Promise<Figure[]> {
	const count = lab.containers.length;
	const stop = await lab.flood(range(0, count));
	const { received, totalBitsPerSecond } = await measure(lab, seconds);
	await stop();
	return [
		least(
			`${count} flat out for ${seconds} s: of the uplink in use`,
			totalBitsPerSecond / uplinkBitsPerSecond,
			"x",
			0.97,
		),
		least("Jain index of their shares", jain(received), "", 0.995),
		least("least share, of the mean", Math.min(...received) / mean(received), "x", 0.9),
	];
}

export async function measureOne(lab: Lab): Promise<Figure> {
	const stop = await lab.flood([0]);
	const { totalBitsPerSecond } = await measure(lab, 5);
	await stop();
	return least(
		`one of ${lab.containers.length} busy: of the uplink`,
		totalBitsPerSecond / uplinkBitsPerSecond,
		"x",
		0.9,
	);
}

/** Ten send; many more join. When has every one of them its floor? */
export async function measureJoin(lab: Lab): Promise<Figure> {
	const joining = Math.min(100, lab.containers.length - 10);
	const windowMs = 250;
	const floorBytes = (lab.network.shares().floorBitsPerSecond / 8) * (windowMs / 1000) * 0.94;
	const stopTen = await lab.flood(range(0, 10));
	await delay(warmUpMs);
	const stopJoined = await lab.flood(range(10, 10 + joining));
	const startedAtMs = performance.now();
	let before = await lab.received();
	let tookMs = Number.POSITIVE_INFINITY;
	while (performance.now() - startedAtMs < 5_000) {
		await delay(windowMs);
		const now = await lab.received();
		const all = range(0, 10 + joining).every((index) => (now[index] ?? 0) - (before[index] ?? 0) >= floorBytes);
		before = now;
		if (!all) continue;
		tookMs = performance.now() - startedAtMs;
		break;
	}
	await stopJoined();
	await stopTen();
	return {
		name: `ten busy, ${joining} join: all have their floor after`,
		value: tookMs,
		unit: "ms",
		runs: 1,
		goal: "<= 1000",
		met: tookMs <= 1000,
	};
}

/** Half with one connection, half with fifty. */
export async function measureConnections(lab: Lab): Promise<Figure> {
	const half = Math.min(10, Math.floor(lab.containers.length / 2));
	const stopFew = await lab.flood(range(0, half));
	const stopMany = await lab.flood(range(half, 2 * half), 50);
	const { received } = await measure(lab, 10);
	await stopFew();
	await stopMany();
	const busy = received.slice(0, 2 * half);
	const worst = Math.max(...busy.map((value) => Math.abs(value / mean(busy) - 1)));
	return {
		name: `${half} with 1 and ${half} with 50 connections: furthest from the mean`,
		value: worst * 100,
		unit: "%",
		runs: 1,
		goal: "<= 10",
		met: worst <= 0.1,
	};
}

/** One person with many containers among others with one each. */
export async function measureOwners(lab: Lab): Promise<Figure> {
	const others = 10;
	const many = Math.min(50, lab.containers.length - others);
	const theirs = range(others, others + many);
	for (const index of theirs) {
		await lab.detach(index);
		await lab.attach(index, "one person");
	}
	const stop = await lab.flood(range(0, others + many));
	const { received } = await measure(lab, 10);
	await stop();
	for (const index of theirs) {
		await lab.detach(index);
		await lab.attach(index);
	}
	const shares = [...received.slice(0, others), sum(received.slice(others, others + many))];
	const worst = Math.max(...shares.map((value) => Math.abs(value / mean(shares) - 1)));
	return {
		name: `an owner of ${many} beside ${others} owners of one: furthest from the mean`,
		value: worst * 100,
		unit: "%",
		runs: 1,
		goal: "<= 10",
		met: worst <= 0.1,
	};
}

export async function measureLatency(lab: Lab): Promise<Figure> {
	const flooding = Math.min(100, lab.containers.length - 1);
	const quiet = await lab.roundTrips(0, 200);
	const stop = await lab.flood(range(1, 1 + flooding));
	await delay(warmUpMs);
	const times = await lab.roundTrips(0, 1000);
	await stop();
	const p99 = quantile(times, 0.99);
	return {
		name: `small round trip of an idle container while ${flooding} flood, p99 (quiet: baseline)`,
		value: p99,
		unit: "ms",
		runs: times.length,
		baseline: quantile(quiet, 0.99),
		goal: "<= 20",
		met: p99 <= 20,
	};
}
