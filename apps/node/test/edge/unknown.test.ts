import { Agent, request } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { route, startEdge, type TestEdge, workersOf } from "./support.ts";
import { readAll } from "./visitors.ts";

let edge: TestEdge;
let asked: string[] = [];
let answer: (slug: string) => number | Promise<number> = () => 404;
let revision = 1;

beforeAll(async () => {
	edge = await startEdge("apps.test", {
		lookUp(slug) {
			asked.push(slug);
			return answer(slug);
		},
	});
	await edge.edge.replaceRoutes({ revision, routes: [] });
});

afterAll(() => edge?.release());

async function named(name: string) {
	const { address, port } = await edge.container((_, response) => response.end(name));
	return { address, ports: [port], mainPort: port };
}

async function change(set: Parameters<TestEdge["edge"]["changeRoutes"]>[0]["set"], removed: string[] = []) {
	revision += 1;
	await edge.edge.changeRoutes({ revision, set, removed });
}

test("a project is unknown only when the agent says so; it is asked once for a crowd that follows", async () => {
	asked = [];
	expect((await edge.visit("nobody.apps.test")).status).toBe(404);
	const crowd = await Promise.all(Array.from({ length: 30 }, () => edge.visit("nobody.apps.test")));
	expect(crowd.map(({ status }) => status)).toEqual(Array(30).fill(404));
	expect(asked).toEqual(["nobody"]);
	// What is no slug can be nobody's, and the agent is not troubled.
	for (const host of ["a.b.apps.test", "0--nobody.apps.test", "node-.apps.test", `${"a".repeat(60)}.apps.test`])
		expect((await edge.visit(host)).status, host).toBe(404);
	expect(asked).toEqual(["nobody"]);
});

test("a visitor who comes before a new project's route does is answered by it", async () => {
	const target = await named("just made");
	answer = async (slug) => {
		await change([route(slug, target)]);
		return 204;
	};
	expect(await edge.visit("new.apps.test")).toMatchObject({ status: 200, body: "just made" });
	expect(await edge.visit(`${target.mainPort}--new.apps.test`)).toMatchObject({ status: 200, body: "just made" });
});

test("an agent that cannot say yet, or is away, makes no project unknown", async () => {
	for (const status of [503, 204, 500]) {
		answer = () => status;
		const page = await edge.visit(`early-${status}.apps.test`);
		expect([page.status, page.headers["retry-after"]]).toEqual([503, "1"]);
		expect(page.body).toContain("One moment, please");
	}
	const agent = await edge.service("agent", (_, response) => response.end());
	agent.closeAllConnections();
	agent.close();
	expect((await edge.visit("away.apps.test")).status).toBe(503);
	await edge.service("agent", (_, response) => response.end());
	answer = () => 404;
	expect((await edge.visit("away.apps.test")).status).toBe(404);
});

test("a name that was unknown a moment ago is known as soon as it has a route", async () => {
	expect((await edge.visit("late.apps.test")).status).toBe(404);
	await change([route("late", await named("here now"))]);
	expect((await edge.visit("late.apps.test")).body).toBe("here now");
});

test("once a change was taken, every worker answers by it, on connections that were open before too", async () => {
	const [one, two] = [await named("one"), await named("two")];
	await change([route("turning", one)]);
	const ask = (agent: Agent) =>
		new Promise<string>((resolve, reject) => {
			const headers = { host: "turning.apps.test" };
			const outgoing = request({ host: "127.0.0.1", port: edge.port, agent, headers }, (response) =>
				readAll(response).then(resolve, reject),
			);
			outgoing.on("error", reject).end();
		});
	/** Ten connections that are kept open, all of one worker: the others stand still while they are made. */
	async function connectionsOf(worker: number): Promise<Agent> {
		const agent = new Agent({ keepAlive: true, maxSockets: 10, maxFreeSockets: 10 });
		const others = (await workersOf(edge)).filter((each) => each !== worker);
		for (const other of others) process.kill(other, "SIGSTOP");
		try {
			await Promise.all(Array.from({ length: 10 }, () => ask(agent)));
		} finally {
			for (const other of others) process.kill(other, "SIGCONT");
		}
		return agent;
	}
	const agents: Agent[] = [];
	for (const worker of await workersOf(edge)) agents.push(await connectionsOf(worker));
	expect(agents).toHaveLength(2);
	const askAll = () => Promise.all(agents.flatMap((agent) => Array.from({ length: 10 }, () => ask(agent))));
	for (let turn = 0; turn < 20; turn++) {
		await change([route("turning", turn % 2 ? one : two)]);
		expect(new Set(await askAll())).toEqual(new Set([turn % 2 ? "one" : "two"]));
	}
	await change([], ["turning"]);
	for (const body of await askAll()) expect(body).toContain("There is no app here");
	for (const agent of agents) agent.destroy();
});

// Last, because for a second afterwards nobody is asked about anything.
test("invented names do not trouble the agent without end", async () => {
	asked = [];
	const statuses = new Set<number>();
	for (let round = 0; round < 15; round++) {
		const visits = Array.from({ length: 100 }, (_, index) => edge.visit(`x${round}-${index}.apps.test`));
		for (const { status } of await Promise.all(visits)) statuses.add(status);
	}
	expect([...statuses].every((status) => status === 404 || status === 503)).toBe(true);
	expect(statuses).toContain(503);
	expect(asked.length).toBeLessThan(1500);
});
