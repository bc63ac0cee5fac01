import { setTimeout as delay } from "node:timers/promises";
import { runCommand } from "@repldock/service";
import { type Figure, median, quantile } from "../support/report.ts";
import { busySeconds, type Lab, uplinkBitsPerSecond } from "./lab.ts";

const rounds = 30;
const floodSeconds = 8;
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const all = (lab: Lab) => lab.containers.map((_, index) => index);

async function timed(work: () => Promise<unknown>): Promise<number> {
	const startedAtMs = performance.now();
	await work();
	return performance.now() - startedAtMs;
}

function most(name: string, values: readonly number[], unit: string, goal: number): Figure {
	const value = median(values);
	return {
		name,
		value,
		unit,
		p95: quantile(values, 0.95),
		runs: values.length,
		goal: `<= ${goal}`,
		met: value <= goal,
	};
}

export async function measureChanges(lab: Lab): Promise<Figure[]> {
	const removals: number[] = [];
	const additions: number[] = [];
	const last = lab.containers.length - 1;
	for (let round = 0; round < rounds; round += 1) {
		removals.push(await timed(() => lab.detach(last)));
		const { pid } = lab.containers[last] as { pid: number };
		// A container that is attached is a new one, whose cable is bare.
		const cable = await lab.cable(pid);
		await runCommand("tc", ["qdisc", "del", "dev", cable, "ingress"]);
		additions.push(await timed(() => lab.attach(last)));
	}
	const modes: number[] = [];
	const stop = await lab.flood([last]);
	for (let round = 0; round < rounds; round += 1) {
		const mode = round % 2 === 0 ? "closed" : "open";
		modes.push(await timed(() => lab.setMode(last, mode)));
	}
	await stop();
	return [
		most("adding a container", additions, "ms", 5),
		most("removing a container", removals, "ms", 5),
		most("another mode for a container that sends", modes, "ms", 1000),
	];
}

export async function measureRepair(lab: Lab): Promise<Figure[]> {
	const count = lab.containers.length;
	const looks: number[] = [];
	const repairs: number[] = [];
	for (let round = 0; round < 5; round += 1) {
		looks.push(await timed(() => lab.network.repair()));
		await runCommand("ip", ["link", "delete", "dev", lab.options.device]);
		repairs.push(await timed(() => lab.network.repair()));
	}
	return [
		most(`looking at ${count} containers that are as they should be`, looks, "ms", 300),
		most(`making the shaper of ${count} containers anew`, repairs, "ms", 300),
	];
}

/** What the kernel counted against what arrived, over a restart of the agent. Call it first: it needs all of both counts. */
export async function measureCounters(lab: Lab): Promise<Figure> {
	const some = all(lab).slice(0, 50);
	const stop = await lab.flood(some);
	await delay(3_000);
	await lab.restartAgent();
	await delay(3_000);
	await stop();
	// What is under way arrives.
	await delay(2_000);
	const received = sum(await lab.received());
	const counters = [...(await lab.network.counters()).values()];
	// Ethernet, IP, and TCP with timestamps.
	const counted = sum(counters.map(({ sentBytes, sentPackets }) => sentBytes - 66 * sentPackets));
	const difference = (Math.abs(counted - received) / received) * 100;
	return {
		name: "counters, over a restart of the agent, against what was received",
		value: difference,
		unit: "%",
		runs: 1,
		goal: "<= 0.1",
		met: difference <= 0.1,
	};
}

/** Processor time for each gigabyte, by the shaper and by a plain limit of the same rate. */
export async function measureProcessor(lab: Lab): Promise<Figure> {
	const some = all(lab).slice(0, 100);
	async function secondsPerGigabyte(): Promise<number> {
		const stop = await lab.flood(some);
		await delay(2_000);
		const [busy, received] = [busySeconds(), sum(await lab.received())];
		await delay(floodSeconds * 1000);
		const [busyAfter, receivedAfter] = [busySeconds(), sum(await lab.received())];
		await stop();
		return (busyAfter - busy) / ((receivedAfter - received) / 1e9);
	}
	const shaped: number[] = [];
	const plain: number[] = [];
	for (let round = 0; round < 2; round += 1) {
		shaped.push(await secondsPerGigabyte());
		await lab.unshape();
		const limit = ["rate", `${uplinkBitsPerSecond}bit`, "burst", "256kb", "latency", "20ms"];
		await runCommand("tc", ["qdisc", "replace", "dev", lab.outside, "root", "tbf", ...limit]);
		plain.push(await secondsPerGigabyte());
		await runCommand("tc", ["qdisc", "del", "dev", lab.outside, "root"]);
		await lab.network.repair();
	}
	const ratio = median(shaped) / median(plain);
	return {
		name: `processor time for a gigabyte of ${some.length} senders (a plain limit of 1 Gbit/s: baseline)`,
		value: median(shaped),
		unit: "s",
		runs: shaped.length,
		baseline: median(plain),
		ratio,
		goal: "<= 1.15 x",
		met: ratio <= 1.15,
	};
}
