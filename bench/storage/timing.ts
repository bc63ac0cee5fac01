import { readFileSync } from "node:fs";
import type { Figure } from "../support/report.ts";
import { median, quantile } from "../support/report.ts";

/** Milliseconds that something took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
	const startedAtMs = performance.now();
	await work();
	return performance.now() - startedAtMs;
}

/** Milliseconds of processor time of this process and of the commands that it has waited for. */
export function processorMs(): number {
	// After the name in brackets, which may hold anything: user and system time of both, in ticks of 10 ms.
	const fields = readFileSync("/proc/self/stat", "utf8")
		.replace(/^.*\) /s, "")
		.split(" ");
	return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
}

/** A figure whose goal is an upper bound of its median. */
export function bounded(name: string, values: readonly number[], unit: string, most?: number): Figure {
	const value = median(values);
	const figure: Figure = { name, value, unit, p95: quantile(values, 0.95), runs: values.length };
	if (most === undefined) return figure;
	return { ...figure, goal: `<= ${most} ${unit}`, met: value <= most };
}
