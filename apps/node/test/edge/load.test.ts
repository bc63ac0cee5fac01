import { Agent, request } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { route, startEdge, type TestEdge } from "./support.ts";
import { readAll } from "./visitors.ts";

const routeCount = 2000;
const containerCount = 20;
const requestCount = 20_000;
const visitors = 40;

let edge: TestEdge;

beforeAll(async () => {
	edge = await startEdge();
});

afterAll(() => edge?.release());

test("2,000 routes under constant change: no request fails and none reaches another project's container", async () => {
	const containers: { address: string; port: number }[] = [];
	for (let index = 0; index < containerCount; index += 1) {
		containers.push(await edge.container((incoming, response) => response.end(`${index} ${incoming.headers.host}`)));
	}
	const targetOf = (index: number, ports: number[] = []) => {
		const target = containers[index % containerCount];
		if (!target) throw new Error("there is no such container");
		return route(`project-${index}`, {
			address: target.address,
			ports: [target.port, ...ports],
			mainPort: target.port,
		});
	};
	const routes = Array.from({ length: routeCount }, (_, index) => targetOf(index));
	await edge.edge.replaceRoutes({ revision: 1, routes });

	const agent = new Agent({ keepAlive: true, maxSockets: visitors });
	const wrong: string[] = [];
	let next = 0;
	let isOver = false;

	async function visit(index: number): Promise<void> {
		const host = `project-${index % routeCount}.apps.test`;
		const body = await new Promise<string>((resolve, reject) => {
			const outgoing = request({ host: "127.0.0.1", port: edge.port, agent, headers: { host } });
			outgoing.on("error", reject);
			outgoing.on("response", (response) => readAll(response).then(resolve, reject));
			outgoing.end();
		});
		if (body !== `${index % containerCount} ${host}`) wrong.push(`${host}: ${body.slice(0, 80)}`);
	}

	async function visitor() {
		while (next < requestCount) {
			const index = next;
			next += 1;
			await visit(index);
		}
	}

	async function changeAllTheTime(): Promise<number> {
		let revision = 1;
		while (!isOver) {
			revision += 1;
			const first = (revision * 37) % routeCount;
			const set = Array.from({ length: 20 }, (_, offset) =>
				targetOf((first + offset) % routeCount, [10_000 + (revision % 5000)]),
			);
			if (revision % 50 === 0) {
				await edge.edge.replaceRoutes({ revision, routes });
				continue;
			}
			await edge.edge.changeRoutes({
				revision,
				set: [...set, route(`short-lived-${revision}`)],
				removed: [`short-lived-${revision - 1}`],
			});
		}
		return revision;
	}

	const changing = changeAllTheTime();
	await Promise.all(Array.from({ length: visitors }, visitor));
	isOver = true;
	const revision = await changing;
	agent.destroy();
	expect(wrong).toEqual([]);
	expect(revision).toBeGreaterThan(100);
	expect((await edge.edge.report()).revision).toBe(revision);
}, 180_000);
