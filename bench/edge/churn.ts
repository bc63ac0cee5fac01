import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { NodeEdge } from "../../apps/node/src/host/edge.ts";
import type { Figure } from "../support/report.ts";
import type { Lab } from "./lab.ts";
import { route } from "./routes.ts";
import { appsDomain, dynamicPort } from "./servers.ts";

const Outcome = z.object({
	requests: z.int(),
	failed: z.int(),
	misrouted: z.int(),
	p50Ms: z.number(),
	p99Ms: z.number(),
});

const visitedProjects = 200;
const otherProjects = 200;
const perSecond = 1000;
const seconds = 20;
const changeEveryMs = 5;

/** 200 projects are visited while 200 others start and stop all the time: each app must answer with its own name. */
export async function measureChurn(lab: Lab, edge: NodeEdge): Promise<Figure[]> {
	const routes = Array.from({ length: visitedProjects + otherProjects }, (_, index) => route(lab, index));
	let revision = 1_000_000;
	await edge.replaceRoutes({ revision, routes });

	const visited = new AbortController();
	async function startAndStop(): Promise<number> {
		let changes = 0;
		while (!visited.signal.aborted) {
			const other = route(lab, visitedProjects + (changes % otherProjects));
			const stopped = { ...other, state: "stopped" as const, address: null, ports: [], mainPort: null };
			// A container that starts anew gets another one's old address.
			const moved = { ...other, address: lab.containerAddress(visitedProjects + ((changes * 31) % otherProjects)) };
			await edge.changeRoutes({ revision: ++revision, set: [changes % 2 === 0 ? stopped : moved], removed: [] });
			changes += 1;
			await delay(changeEveryMs);
		}
		return changes;
	}

	const changing = startAndStop();
	const plan = {
		address: lab.edgeAddress,
		port: dynamicPort,
		apps: routes
			.slice(0, visitedProjects)
			.map(({ slug, address }) => ({ host: `${slug}.${appsDomain}`, body: address ?? "" })),
		perSecond,
		seconds,
	};
	const program = fileURLToPath(new URL("visitors.ts", import.meta.url));
	const output = await lab.run("visitors", process.execPath, [program, JSON.stringify(plan)]);
	visited.abort();
	const changes = await changing;
	const { requests, failed, misrouted, p99Ms } = Outcome.parse(JSON.parse(output));
	const wrong = (name: string, value: number): Figure => ({
		name: `${name} of ${requests} requests at ${perSecond}/s to ${visitedProjects} projects, ${changes} route changes`,
		value,
		unit: "requests",
		runs: 1,
		goal: "0",
		met: value === 0,
	});
	return [
		wrong("Failed", failed),
		wrong("Misrouted", misrouted),
		{ name: "p99 meanwhile", value: p99Ms, unit: "ms", runs: requests },
	];
}
