import type { NodeEdge } from "../../apps/node/src/host/edge.ts";
import { type Figure, median, quantile } from "../support/report.ts";
import type { Lab } from "./lab.ts";
import { route } from "./routes.ts";
import { appsDomain, dynamicPort, staticPort } from "./servers.ts";
import { type Load, load } from "./wrk.ts";

const connectionCounts = [1, 32, 256];
const leastThroughput = 0.93;
const mostP99 = 1.3;
const fewRoutesShare = 0.97;
const manyRoutes = 10_000;
const mostLoadMs = 1_000;
const mostChangeMs = 5;
const seconds = 3;

/** Through the dynamic route, in turns with a static proxy before the same app. */
export async function measureThroughput(lab: Lab, edge: NodeEdge, rounds: number): Promise<Figure[]> {
	await edge.replaceRoutes({ revision: 1, routes: [route(lab, 0)] });
	const figures: Figure[] = [];
	for (const connections of connectionCounts) {
		const { dynamic, fixed } = await inTurns(lab, connections, rounds);
		const ratio = perSecond(dynamic) / perSecond(fixed);
		figures.push({
			name: `Requests through the dynamic route, ${connections} connections (static proxy_pass)`,
			value: perSecond(dynamic),
			unit: "requests/s",
			runs: rounds,
			baseline: perSecond(fixed),
			ratio,
			goal: `>= ${leastThroughput} x`,
			met: ratio >= leastThroughput && isClean([...dynamic, ...fixed]),
		});
		figures.push(p99Figure(connections, dynamic, fixed));
	}
	return figures;
}

/** The same app among ten thousand, in turns with it alone; and what loading and changing the table takes. */
export async function measureManyRoutes(lab: Lab, edge: NodeEdge, rounds: number): Promise<Figure[]> {
	const table = Array.from({ length: manyRoutes }, (_, index) => route(lab, index));
	const few: Load[] = [];
	const many: Load[] = [];
	const loadMs: number[] = [];
	const changeMs: number[] = [];
	let revision = 1000;
	const turn = () => load(lab, { port: dynamicPort, host: `app-0.${appsDomain}`, connections: 32, seconds });
	for (let round = 0; round < rounds; round += 1) {
		await edge.replaceRoutes({ revision: ++revision, routes: table.slice(0, 1) });
		few.push(await turn());
		const startedAtMs = performance.now();
		await edge.replaceRoutes({ revision: ++revision, routes: table });
		loadMs.push(performance.now() - startedAtMs);
		many.push(await turn());
		for (let index = 1; index <= 40; index += 1) {
			const changedAtMs = performance.now();
			await edge.changeRoutes({ revision: ++revision, set: [{ ...route(lab, index), state: "stopped" }], removed: [] });
			changeMs.push(performance.now() - changedAtMs);
		}
	}
	const ratio = perSecond(many) / perSecond(few);
	return [
		{
			name: "Requests with 10,000 routes loaded (one route)",
			value: perSecond(many),
			unit: "requests/s",
			runs: rounds,
			baseline: perSecond(few),
			ratio,
			goal: `>= ${fewRoutesShare} x`,
			met: ratio >= fewRoutesShare && isClean([...few, ...many]),
		},
		timeFigure("Loading 10,000 routes", loadMs, mostLoadMs),
		timeFigure("Changing one of 10,000 routes", changeMs, mostChangeMs),
	];
}

async function inTurns(lab: Lab, connections: number, rounds: number) {
	const host = `app-0.${appsDomain}`;
	const dynamic: Load[] = [];
	const fixed: Load[] = [];
	// Once before: kept connections and compiled Lua.
	for (const port of [dynamicPort, staticPort]) await load(lab, { port, host, connections, seconds: 1 });
	for (let round = 0; round < rounds; round += 1) {
		dynamic.push(await load(lab, { port: dynamicPort, host, connections, seconds }));
		fixed.push(await load(lab, { port: staticPort, host, connections, seconds }));
	}
	return { dynamic, fixed };
}

function p99Figure(connections: number, dynamic: readonly Load[], fixed: readonly Load[]): Figure {
	const [value, baseline] = [dynamic, fixed].map((loads) => median(loads.map(({ p99Ms }) => p99Ms))) as [
		number,
		number,
	];
	return {
		name: `p99 through the dynamic route, ${connections} connections (static proxy_pass)`,
		value,
		unit: "ms",
		runs: dynamic.length,
		baseline,
		ratio: value / baseline,
		goal: `<= ${mostP99} x`,
		met: value / baseline <= mostP99,
	};
}

function timeFigure(name: string, samples: readonly number[], mostMs: number): Figure {
	return {
		name,
		value: median(samples),
		unit: "ms",
		p95: quantile(samples, 0.95),
		runs: samples.length,
		goal: `<= ${mostMs} ms`,
		met: median(samples) <= mostMs,
	};
}

function perSecond(loads: readonly Load[]): number {
	return median(loads.map(({ requestsPerSecond }) => requestsPerSecond));
}

function isClean(loads: readonly Load[]): boolean {
	return loads.every(({ failed, errors }) => failed === 0 && errors === 0);
}
