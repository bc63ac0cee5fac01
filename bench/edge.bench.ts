import { measureAttack } from "./edge/attack.ts";
import { measureChurn } from "./edge/churn.ts";
import { openLab } from "./edge/lab.ts";
import { startApps, startEdge, startStaticProxy } from "./edge/servers.ts";
import { measureManyRoutes, measureThroughput } from "./edge/throughput.ts";
import { measureWake } from "./edge/wake.ts";
import { type Figure, report } from "./support/report.ts";

/*
 * The edge between visitors and apps, each in a network namespace of the bench's own, with wrk as the visitor; then the
 * sleep of real projects on a whole instance. A part's name as argument measures that part alone.
 */
const rounds = 5;
const wakes = 20;
const mostAttackedRatio = 2;

async function measureInLab(): Promise<Figure[]> {
	const lab = await openLab();
	try {
		await startApps(lab);
		await startStaticProxy(lab);
		const edge = await startEdge(lab);
		return [
			...(await measureThroughput(lab, edge, rounds)),
			...(await measureManyRoutes(lab, edge, rounds)),
			...(await measureChurn(lab, edge)),
		];
	} finally {
		await lab.cleanup.run();
	}
}

async function measureNeighbour(): Promise<Figure> {
	const { quietP99Ms, attackedP99Ms } = await measureAttack();
	const ratio = attackedP99Ms / quietP99Ms;
	return {
		name: "p99 of a project while its neighbour is attacked (while it is not)",
		value: attackedP99Ms,
		unit: "ms",
		runs: 1,
		baseline: quietP99Ms,
		ratio,
		goal: `<= ${mostAttackedRatio} x`,
		met: ratio <= mostAttackedRatio,
	};
}

const parts: Readonly<Record<string, () => Promise<Figure[]>>> = {
	lab: measureInLab,
	attack: async () => [await measureNeighbour()],
	wake: () => measureWake(wakes),
};

const [wanted] = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const chosen = wanted === undefined ? Object.values(parts) : [parts[wanted]];
const figures: Figure[] = [];
for (const measure of chosen) {
	if (!measure) throw new Error(`The edge is measured in these parts: ${Object.keys(parts).join(", ")}.`);
	figures.push(...(await measure()));
}
report("edge", figures);
