import { setTimeout as delay } from "node:timers/promises";
import { openIdleProject } from "./idle-memory/projects.ts";
import { slope } from "./idle-memory/slope.ts";
import { kernelBytes, proportionalBytes, usedBytes } from "./support/memory.ts";
import { type Figure, report } from "./support/report.ts";
import { withInstance } from "./support/world.ts";

/*
 * Memory in use on the machine for each further idle open project: container, events socket, one terminal with its
 * prompt. The slope from 5 to 25 projects; the first ones pay for what all share. What else runs on the machine
 * disturbs the figure; the cross-check is the sum of our processes' proportional shares, which it does not disturb, and
 * of what the kernel keeps, which it disturbs less.
 */
const counts = [5, 10, 15, 20, 25];
/** Programs that have just started give back what they needed for it. */
const settleMs = 3_000;
const megabyte = 1e6;
const goalMegabytes = 8;

await withInstance(async (instance, site) => {
	const used: [count: number, value: number][] = [];
	const kernel: [count: number, value: number][] = [];
	const shares: [count: number, shares: Map<string, number>][] = [];
	let open = 0;
	for (const count of counts) {
		for (; open < count; open += 1) await openIdleProject(site);
		await delay(settleMs);
		used.push([count, usedBytes() / megabyte]);
		kernel.push([count, kernelBytes() / megabyte]);
		shares.push([count, await proportionalBytes(instance)]);
	}
	const perProgram = [...new Set(shares.flatMap(([, map]) => [...map.keys()]))]
		.map((name) => ({ name, value: slope(shares.map(([count, map]) => [count, (map.get(name) ?? 0) / megabyte])) }))
		.filter(({ value }) => Math.abs(value) >= 0.05)
		.sort((a, b) => b.value - a.value);
	const value = slope(used);
	const figures: Figure[] = [
		{
			name: "Memory in use per idle open project",
			value,
			unit: "MB",
			runs: counts.length,
			goal: `<= ${goalMegabytes} MB`,
			met: value <= goalMegabytes,
		},
		{
			name: "Proportional share of our processes per idle open project",
			value: slope(
				shares.map(([count, map]) => [count, [...map.values()].reduce((sum, bytes) => sum + bytes, 0) / megabyte]),
			),
			unit: "MB",
			runs: counts.length,
		},
		{ name: "Kernel's memory per idle open project", value: slope(kernel), unit: "MB", runs: counts.length },
		...perProgram.map(({ name, value }) => ({ name: `of that: ${name}`, value, unit: "MB", runs: counts.length })),
	];
	report("idle-memory", figures);
});
// The projects' sockets are still open.
process.exit(0);
