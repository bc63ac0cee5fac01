import type { Figure } from "../support/report.ts";
import { median, quantile } from "../support/report.ts";

/** Milliseconds that something took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
	const startedAtMs = performance.now();
	await work();
	return performance.now() - startedAtMs;
}

/** A figure whose goal is an upper bound of its median. */
export function bounded(name: string, values: readonly number[], unit: string, most?: number): Figure {
	const value = median(values);
	const figure: Figure = { name, value, unit, p95: quantile(values, 0.95), runs: values.length };
	if (most === undefined) return figure;
	return { ...figure, goal: `<= ${most} ${unit}`, met: value <= most };
}
