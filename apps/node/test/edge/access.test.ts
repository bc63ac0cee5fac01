import type { IncomingMessage } from "node:http";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { route, startEdge, type TestEdge } from "./support.ts";
import { readAll, reflect, type Seen } from "./visitors.ts";

const projectId = "3f0c9a52-1111-4111-8111-00000000000a";
let edge: TestEdge;
let asked: { url: string; project: unknown; access: unknown; names: string[] }[] = [];

beforeAll(async () => {
	edge = await startEdge();
	await edge.service("agent", (incoming, response) => {
		const { "x-repldock-project": project, "x-repldock-access": access } = incoming.headers;
		asked.push({ url: incoming.url ?? "", project, access, names: Object.keys(incoming.headers) });
		if (access === "broken") response.statusCode = 500;
		else if (access === "traded") response.setHeader("x-repldock-access", "longer-lived").statusCode = 204;
		else response.statusCode = project === projectId && access === "good.token" ? 204 : 403;
		response.end();
	});
	const app = await edge.container((incoming, response) => {
		if (incoming.method === "POST") return void answerSize(incoming, response);
		reflect(incoming, response);
	});
	const target = { address: app.address, ports: [app.port], mainPort: app.port, visibility: "private" as const };
	await edge.edge.replaceRoutes({
		revision: 1,
		routes: [
			route("mine", { ...target, projectId }),
			route("theirs", { ...target, projectId: "3f0c9a52-1111-4111-8111-00000000000b" }),
			route("hidden", { ...target, projectId, state: "stopped" }),
		],
	});
});

async function answerSize(incoming: IncomingMessage, response: import("node:http").ServerResponse) {
	response.end(String((await readAll(incoming)).length));
}

beforeEach(() => {
	asked = [];
});

afterAll(() => edge?.release());

test("without a cookie a frame of a private project shows the sign-in page, whatever its state, and the agent is not asked", async () => {
	for (const slug of ["mine", "hidden"]) {
		const headers = { accept: "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" };
		const answer = await edge.visit(`${slug}.apps.test`, { headers });
		expect(answer.status).toBe(401);
		expect(answer.body).toContain("This project is private");
		expect(answer.body).toContain(`http://localhost:${edge.port}/`);
	}
	expect(asked).toEqual([]);
});

test("with the cookie the visitor is let in; the agent is asked once and sees nothing but project and token", async () => {
	for (const name of ["repldock_access", "repldock_access_lax"]) {
		const answer = await edge.visit("mine.apps.test", {
			headers: { cookie: `a=1; ${name}=good.token`, "x-repldock-project": "1" },
		});
		expect(answer.status).toBe(200);
		expect((JSON.parse(answer.body) as Seen).headers.cookie).toBe("a=1");
	}
	expect(asked).toEqual([
		{
			url: "/edge/authorize",
			project: projectId,
			access: "good.token",
			names: ["host", "x-repldock-project", "x-repldock-access", "x-repldock-host", "x-repldock-visitor"],
		},
	]);
});

test("a verdict for one project says nothing about another", async () => {
	const answer = await edge.visit("theirs.apps.test", { headers: { cookie: "repldock_access=good.token" } });
	expect(answer.status).toBe(403);
});

test("a planted cookie of our name does not lock the visitor out", async () => {
	const answer = await edge.visit("mine.apps.test", {
		headers: { cookie: "repldock_access=planted; repldock_access=good.token" },
	});
	expect(answer.status).toBe(200);
});

test("a cookie that could not be a token never reaches the agent", async () => {
	for (const cookie of [
		"repldock_access=a b",
		'repldock_access="x"',
		`repldock_access=${"x".repeat(5000)}`,
		"repldock_access=",
	]) {
		expect((await edge.visit("mine.apps.test", { headers: { cookie } })).status).toBe(401);
	}
	expect(asked).toEqual([]);
});

test("an upload to a private app arrives whole", async () => {
	const headers = { cookie: "repldock_access_lax=good.token", "content-type": "text/plain" };
	const answer = await edge.visit("mine.apps.test", { method: "POST", headers, body: "x".repeat(300_000) });
	expect(answer.body).toBe("300000");
});

test("when the agent cannot say, nobody is let in and nobody is called a stranger", async () => {
	const answer = await edge.visit("mine.apps.test", {
		headers: { cookie: "repldock_access=broken", accept: "application/json" },
	});
	expect(answer.status).toBe(503);
	expect(JSON.parse(answer.body)).toMatchObject({ code: "node_unreachable", status: 503 });
});

test("the enter page trades a good token for this host's cookies and goes on", async () => {
	const answer = await edge.visit("mine.apps.test", { path: "/_repldock/enter?token=good.token&to=%2Fa%2Fb%3Fq%3D1" });
	expect(answer.status).toBe(302);
	expect(answer.headers.location).toBe("/a/b?q=1");
	expect(answer.headers["set-cookie"]).toEqual([
		"repldock_access=good.token; Path=/; HttpOnly; SameSite=None; Secure; Partitioned",
		"repldock_access_lax=good.token; Path=/; HttpOnly; SameSite=Lax",
	]);
	expect(asked[0]).toMatchObject({ url: "/edge/enter", project: projectId, access: "good.token" });
	const traded = await edge.visit("mine.apps.test", { path: "/_repldock/enter?token=traded" });
	expect(traded.headers["set-cookie"]?.[0]).toMatch(/^repldock_access=longer-lived;/);
});

test("the enter page refuses a wrong token without a cookie", async () => {
	for (const token of ["wrong", "", "a%0d%0aSet-Cookie:x=1", "a;b"]) {
		const answer = await edge.visit("mine.apps.test", { path: `/_repldock/enter?token=${token}&to=/` });
		expect(answer.status).toBe(403);
		expect(answer.headers["set-cookie"]).toBeUndefined();
	}
	expect((await edge.visit("nobody.apps.test", { path: "/_repldock/enter?token=good.token" })).status).toBe(404);
});

test("the enter page leads nowhere but to this host, and no header can be slipped in", async () => {
	const targets = {
		"//evil.example/": "/",
		"/\\evil.example": "/",
		"https://evil.example/": "/",
		"javascript:alert(1)": "/",
		"/\t/evil.example": "/",
		"/a\r\nX-Injected: 1": "/",
		'/ä b"<>': "/%C3%A4%20b%22%3C%3E",
		"": "/",
	};
	for (const [to, expected] of Object.entries(targets)) {
		const answer = await edge.visit("mine.apps.test", {
			path: `/_repldock/enter?token=good.token&to=${encodeURIComponent(to)}`,
		});
		expect(answer.status).toBe(302);
		expect(answer.headers.location, to).toBe(expected);
		expect(answer.headers["x-injected"]).toBeUndefined();
	}
});

test("a refusal is remembered too, so that a flood of visits does not become one of questions", async () => {
	const cookie = "repldock_access=not-yet";
	expect((await edge.visit("mine.apps.test", { headers: { cookie } })).status).toBe(403);
	expect((await edge.visit("mine.apps.test", { headers: { cookie } })).status).toBe(403);
	expect(asked.length).toBe(1);
});
