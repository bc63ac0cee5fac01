import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect } from "node:net";
import type { WakeFailure } from "@repldock/protocol";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { route, startEdge, type TestEdge, until } from "./support.ts";
import { type Answer, reflect } from "./visitors.ts";

const projectId = "3f0c9a52-1111-4111-8111-0000000000aa";
const otherId = "3f0c9a52-1111-4111-8111-0000000000bb";
const html = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

let edge: TestEdge;
let up: { address: string; ports: number[]; mainPort: number };
let revision = 1;
/** Questions that the agent has not answered yet. */
let asked: { headers: Record<string, unknown>; response: ServerResponse }[] = [];
/** How the agent answers at once; undefined lets it wait for the test. */
let answer: ((response: ServerResponse) => void) | undefined;

const say = (status: number, body?: WakeFailure) => (response: ServerResponse) =>
	void response.writeHead(status).end(body && JSON.stringify(body));

const asleep = { projectId, wakes: true, state: "paused" as const };
const setRoute = (values: Partial<Parameters<typeof route>[1]>) =>
	edge.edge.changeRoutes({ revision: ++revision, set: [route("app", { projectId, ...values })], removed: [] });
const activity = async () => (await edge.edge.activity(projectId)).projects[projectId];

beforeAll(async () => {
	edge = await startEdge();
	await edge.service("agent", ({ url, headers }, response) => {
		if (url === "/edge/authorize") {
			const isGood = String(headers["x-repldock-access"]).startsWith("good");
			const visitor = { "x-repldock-user-id": "ada" };
			return void setTimeout(() => response.writeHead(isGood ? 204 : 403, visitor).end(), 2);
		}
		asked.push({ headers, response });
		answer?.(response);
	});
	const app = await edge.container(reflect);
	up = { address: app.address, ports: [app.port], mainPort: app.port };
	await edge.edge.replaceRoutes({ revision, routes: [] });
});

beforeEach(async () => {
	asked = [];
	answer = undefined;
	await setRoute(asleep);
});

afterAll(() => edge?.release());

async function held(count: number) {
	await until(async () => asked.length >= count);
}

/** Also for questions that come late, as those of visitors who gave up may. */
async function wakeUp() {
	await setRoute(up);
	answer = say(204);
	for (const { response } of asked) if (!response.headersSent) say(204)(response);
}

test("a visit of a sleeping project is held until the agent says that it is awake, and then answered by the app", async () => {
	const visits = Array.from({ length: 20 }, (_, index) => edge.visit("app.apps.test", { path: `/${index}` }));
	const upload = edge.visit("app.apps.test", { method: "POST", body: "x".repeat(100_000) });
	await held(21);
	expect((await activity())?.active).toBe(true);
	await wakeUp();
	for (const [index, visited] of (await Promise.all(visits)).entries()) {
		expect(visited.status).toBe(200);
		expect(JSON.parse(visited.body).url).toBe(`/${index}`);
	}
	expect((await upload).status).toBe(200);
	await until(async () => (await activity())?.active === false);
	expect((await activity())?.idleMs).toBeLessThan(60_000);
});

test("while one visit is held, the next ones are held too, though the container's address is known", async () => {
	await setRoute(up);
	// Both workers know the app as one that runs.
	await Promise.all(Array.from({ length: 20 }, () => edge.visit("app.apps.test")));
	await setRoute({ ...up, wakes: true });
	const visits: Promise<Answer>[] = [];
	for (let index = 1; index <= 8; index++) {
		visits.push(edge.visit("app.apps.test"));
		await held(index);
	}
	await wakeUp();
	for (const { status } of await Promise.all(visits)) expect(status).toBe(200);
});

test("the agent hears whether a person waits, which port is meant and whose cookies came, and nothing else", async () => {
	answer = say(202);
	await edge.visit("4000--app.apps.test", {
		headers: { ...html, cookie: "a=1; repldock_access=one; repldock_access_lax=two" },
	});
	await edge.visit("app.apps.test", { headers: { accept: "*/*", "x-repldock-visitor": "page" } });
	await edge.visit("app.apps.test", { headers: { ...html, "sec-fetch-mode": "no-cors" } });
	await edge.visit("app.apps.test", { method: "POST", headers: html });
	expect(asked.map(({ headers }) => headers["x-repldock-visitor"])).toEqual(["page", "program", "program", "program"]);
	expect(asked[0]?.headers).toMatchObject({
		"x-repldock-project": projectId,
		"x-repldock-access": "one,two",
		"x-repldock-port": "4000",
	});
	expect(asked[0]?.headers).not.toHaveProperty("cookie");
	expect(asked[1]?.headers).not.toHaveProperty("x-repldock-access");
});

test("what takes long shows browsers a page that tries again, and programs a problem", async () => {
	answer = say(202);
	const page = await edge.visit("app.apps.test", { headers: html });
	expect(page).toMatchObject({ status: 503, headers: { "retry-after": "2" } });
	expect(page.body).toContain("This project is waking up");
	expect(page.body).toContain('<meta http-equiv="refresh"');
	const program = await edge.visit("app.apps.test", { headers: { accept: "*/*" } });
	expect(program.status).toBe(503);
	expect(program.headers["content-type"]).toBe("application/problem+json");
	expect(JSON.parse(program.body)).toMatchObject({ code: "not_running", status: 503 });
});

test("a failure shows what the agent tells of it, and no program's output becomes part of the page", async () => {
	answer = say(409, {
		code: "container_failed",
		detail: "It ended with exit code 3.",
		exitCode: 3,
		lines: ["</pre><script>alert(1)</script>", "%s {{title}} & more"],
	});
	const page = await edge.visit("app.apps.test", { headers: html });
	expect(page).toMatchObject({ status: 502, headers: { "retry-after": "5" } });
	expect(page.body).toContain("It ended with exit code 3.");
	expect(page.body).toContain("&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;\n%s {{title}} &amp; more</pre>");
	expect(JSON.parse((await edge.visit("app.apps.test")).body)).toMatchObject({
		exitCode: 3,
		lines: [{}, {}].map(() => expect.any(String)),
	});

	for (const [code, title] of [
		["limit_reached", "This app has to wait"],
		["no_node", "This server is full"],
	] as const) {
		answer = say(409, { code, detail: "Try again later.", exitCode: null, lines: [] });
		const refused = await edge.visit("app.apps.test", { headers: html });
		expect(refused).toMatchObject({ status: 503, headers: { "retry-after": "60" } });
		expect(refused.body).toContain(title);
		expect(refused.body).toContain("Try again later.");
		expect(refused.body).not.toContain("<pre");
		expect(JSON.parse((await edge.visit("app.apps.test")).body)).toMatchObject({ code });
	}
	for (const broken of [say(500), say(409), (response: ServerResponse) => void response.destroy()]) {
		answer = broken;
		expect((await edge.visit("app.apps.test", { headers: html })).body).toContain("This server is restarting");
	}
});

test("who is not known may say at a failure that they are the owner, and comes back to the same address", async () => {
	answer = say(409, { code: "container_failed", detail: "It ended.", exitCode: null, lines: [] });
	const link = async (options: Parameters<TestEdge["visit"]>[1]) => {
		const { body } = await edge.visit("app.apps.test", { ...options, headers: { ...html, ...options?.headers } });
		return /href="([^"]*)"[^>]*>I am the owner/.exec(body)?.[1]?.replaceAll("&amp;", "&");
	};
	const address = await link({ path: '/a?b=1&to=//evil.example"><i>' });
	const away = await edge.visit("app.apps.test", { path: address ?? "", headers: html });
	expect(away.status).toBe(302);
	const site = new URL(away.headers.location ?? "");
	expect(site.origin + site.pathname).toBe(`http://localhost:${edge.port}/visit`);
	expect(site.searchParams.get("to")).toBe("/a?b=1&to=//evil.example%22%3E%3Ci%3E");
	// A form that was sent is not sent again.
	expect(await link({ method: "POST", path: "/order" })).toBe("/_repldock/sign-in?to=%2F");
	expect(await link({ headers: { cookie: "repldock_access=over" } })).toBeDefined();
	expect(await link({ headers: { cookie: "repldock_access=good" } })).toBeUndefined();
});

test("a flood on a sleeping project is bounded, and another project's visitors are held all the same", async () => {
	const flood = Array.from({ length: 400 }, () => edge.visit("app.apps.test", { headers: html }));
	const refusals: number[] = [];
	for (const visited of flood) void visited.then(({ status }) => refusals.push(status));
	// Each of the two workers holds 128.
	await until(async () => asked.length + refusals.length === 400);
	expect(asked.length).toBeLessThanOrEqual(256);
	expect(new Set(refusals)).toEqual(new Set([503]));

	const before = asked.length;
	const set = [route("other", { ...asleep, projectId: otherId })];
	await edge.edge.changeRoutes({ revision: ++revision, set, removed: [] });
	const others = edge.visit("other.apps.test");
	await held(before + 1);
	say(202)(asked[before]?.response as ServerResponse);
	expect((await others).status).toBe(503);
	await wakeUp();
	const statuses = (await Promise.all(flood)).map(({ status }) => status);
	expect(statuses.filter((status) => status === 200).length).toBe(before);
	await until(async () => (await activity())?.active === false);
});

test("visitors who gave up keep no place, and count as visits no longer", async () => {
	async function comeAndGo(leave: () => Promise<void>) {
		const sockets = Array.from({ length: 240 }, () => {
			const socket = connect(edge.port, "127.0.0.1");
			socket.write("GET / HTTP/1.1\r\nHost: app.apps.test\r\n\r\n");
			return socket;
		});
		await Promise.all(sockets.map((socket) => once(socket, "connect")));
		await leave();
		for (const socket of sockets) socket.destroy();
		await until(async () => (await activity())?.active === false);
	}
	await comeAndGo(() => until(async () => (await activity())?.active === true));
	// Before NGINX reads what they ask, for all but the first ones.
	await comeAndGo(async () => undefined);
	asked = [];
	const visits = Array.from({ length: 100 }, () => edge.visit("app.apps.test"));
	await held(100);
	await wakeUp();
	expect(new Set((await Promise.all(visits)).map(({ status }) => status))).toEqual(new Set([200]));
});

test("health checkers and crawlers wake nothing, keep nothing awake, and reach what runs", async () => {
	await edge.edge.changeRoutes({
		revision: ++revision,
		set: [route("quiet", { ...asleep, projectId: otherId })],
		removed: [],
	});
	for (const [method, agent] of [
		["GET", "Mozilla/5.0 (compatible; Googlebot/2.1)"],
		["HEAD", "Mozilla/5.0+(compatible; uptimerobot/2.0)"],
		["OPTIONS", "UptimeRobot"],
	] as const) {
		const refused = await edge.visit("quiet.apps.test", { method, headers: { "user-agent": agent } });
		expect(refused).toMatchObject({ status: 503, headers: { "retry-after": "600" } });
	}
	expect(asked).toEqual([]);
	await edge.edge.changeRoutes({
		revision: ++revision,
		set: [route("quiet", { ...up, projectId: "3f0c9a52-1111-4111-8111-0000000000cc" })],
		removed: [],
	});
	expect((await edge.visit("quiet.apps.test", { headers: { "user-agent": "Googlebot/2.1" } })).status).toBe(200);
	const { projects } = await edge.edge.activity();
	expect(projects).not.toHaveProperty("3f0c9a52-1111-4111-8111-0000000000cc");
	await edge.visit("quiet.apps.test", { headers: { "user-agent": "curl/8" } });
	await until(
		async () => (await edge.edge.activity()).projects["3f0c9a52-1111-4111-8111-0000000000cc"]?.idleMs != null,
	);
});

test("a private project is woken for those who may see it alone", async () => {
	await setRoute({ ...asleep, visibility: "private" });
	answer = say(202);
	expect((await edge.visit("app.apps.test")).status).toBe(401);
	expect((await edge.visit("app.apps.test", { headers: { cookie: "repldock_access=bad" } })).status).toBe(403);
	expect(asked).toEqual([]);
	await edge.visit("app.apps.test", { headers: { cookie: "repldock_access=good" } });
	expect(asked.length).toBe(1);
	const direct = await edge.visit("app.apps.test", { path: "/_repldock/agent/wake" });
	expect(direct.status).toBe(404);
	expect((await edge.visit("node.apps.test", { path: "/edge/wake" })).status).toBe(404);
	expect(asked.length).toBe(1);
});

test("open sockets and streams count until they end, also when the app is gone or the client is", async () => {
	const app = await edge.container((incoming, response) => {
		if (incoming.url === "/stream") response.write("one\n");
		else incoming.socket.destroy();
	});
	await setRoute({ address: app.address, ports: [app.port], mainPort: app.port });
	const client = connect(edge.port, "127.0.0.1");
	client.write("GET /stream HTTP/1.1\r\nHost: app.apps.test\r\n\r\n");
	await once(client, "data");
	expect((await activity())?.active).toBe(true);
	client.destroy();
	await until(async () => (await activity())?.active === false);
	expect((await edge.visit("app.apps.test", { path: "/broken" })).status).toBe(502);
	await until(async () => (await activity())?.active === false);
	expect((await edge.visit("nobody.apps.test")).status).toBe(404);
	expect(Object.values((await edge.edge.activity()).projects).some(({ active }) => active)).toBe(false);
});

test.each([
	// The edge asks something between its first look at the route and the visit.
	"private",
	// Let in at once.
	"public",
] as const)(
	"while visits of a %s project come and go, none reaches a container that stands still",
	async (visibility) => {
		let standsStill = false;
		let reached = 0;
		const app = await edge.container((_incoming, response) => {
			reached += standsStill ? 1 : 0;
			// A visit that takes a moment is one that may be overlooked.
			setTimeout(() => response.end(), 1);
		});
		const target = { address: app.address, ports: [app.port], mainPort: app.port };
		const running = { ...target, visibility };
		let last: Promise<unknown> = setRoute(running);
		const inTurn = (work: () => Promise<unknown>) => {
			last = last.then(work);
			return last;
		};
		answer = (response) =>
			void inTurn(async () => {
				standsStill = false;
				await setRoute(running);
				say(204)(response);
			});
		let pauses = 0;
		let over = false;
		let visits = 0;
		const visitor = async () => {
			const statuses = new Set<number>();
			while (!over) {
				const headers = { cookie: `repldock_access=good-${++visits}` };
				statuses.add((await edge.visit("app.apps.test", { headers })).status);
				// Back in the moment in which the edge calls it unused.
				if (visits % 3 === 0) await until(async () => over || !(await activity())?.active);
			}
			return statuses;
		};
		const visitors = [visitor(), visitor()];
		const giveUpAtMs = performance.now() + 60_000;
		for (let round = 0; round < 100 || (pauses < 5 && performance.now() < giveUpAtMs); round++) {
			await inTurn(async () => {
				// What stands still is woken by a visit, and not made to stand still again.
				if (standsStill) return activity();
				// The address stays, so that only the order of counting and reading keeps visits away.
				await setRoute({ ...running, wakes: true });
				if ((await activity())?.active) return setRoute(running);
				standsStill = true;
				pauses += 1;
			});
		}
		over = true;
		answer = undefined;
		await inTurn(async () => {
			standsStill = false;
			await setRoute(running);
		});
		for (const { response } of asked) if (!response.headersSent) say(204)(response);
		for (const statuses of await Promise.all(visitors)) expect(statuses).toEqual(new Set([200]));
		expect(pauses).toBeGreaterThanOrEqual(5);
		expect(reached).toBe(0);
	},
	180_000,
);
