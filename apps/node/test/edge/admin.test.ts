import { stat } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { renderEdgeConfiguration } from "../../src/host/edge-process.ts";
import { route, startEdge, type TestEdge, until } from "./support.ts";
import { readAll } from "./visitors.ts";

let edge: TestEdge;

beforeAll(async () => {
	edge = await startEdge();
});

afterAll(() => edge?.release());

function admin(
	method: string,
	body?: unknown,
): Promise<{ status: number; body: { revision?: number | null; count?: number; code?: string } }> {
	return new Promise((resolve, reject) => {
		const outgoing = request({
			socketPath: join(edge.dataDirectory, "run/edge.sock"),
			path: "/routes",
			method,
			agent: false,
		});
		outgoing.on("error", reject);
		outgoing.on("response", (response) => {
			readAll(response).then((text) => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }), reject);
		});
		outgoing.end(typeof body === "string" ? body : JSON.stringify(body));
	});
}

test("a change needs a table before it and a revision above the stored one", async () => {
	expect((await admin("GET")).body).toEqual({ revision: null, count: 0 });
	expect((await admin("PATCH", { revision: 1, set: [], removed: [] })).status).toBe(409);
	expect((await admin("PUT", { revision: 5, routes: [route("a"), route("b")] })).body).toEqual({
		revision: 5,
		count: 2,
	});
	expect((await admin("PATCH", { revision: 5, set: [route("c")], removed: [] })).status).toBe(409);
	expect((await admin("PATCH", { revision: 6, set: [route("c"), route("a")], removed: ["a", "b", "x"] })).body).toEqual(
		{
			revision: 6,
			count: 2,
		},
	);
	expect((await admin("PUT", { revision: 1, routes: [route("z")] })).body).toEqual({ revision: 1, count: 1 });
});

test("a table with a wrong route is refused whole", async () => {
	const wrong = [
		{ address: "169.254.169.254" },
		{ address: "127.76.0.1" },
		{ address: "127.77.0.01" },
		{ address: "127.77.0.256" },
		{ address: "localhost" },
		{ address: "unix:/run/docker.sock" },
		{ ports: [0] },
		{ ports: [80.5] },
		{ mainPort: 65536 },
		{ domains: ["a.apps.test"] },
		{ domains: ["apps.test"] },
		{ domains: ["single"] },
		{ domains: ["A.example"] },
		{ domains: ["10.0.0.1"] },
		{ domains: ["a..example"] },
		{ slug: "a--b" },
		{ slug: "a.b" },
		{ slug: "-a" },
		{ slug: "a\n" },
		{ projectId: "a\r\nX: 1" },
		{ visibility: "everyone" as "public" },
		{ state: "odd" as "running" },
	];
	for (const values of wrong) {
		const answer = await admin("PUT", { revision: 9, routes: [route("fine"), { ...route("bad"), ...values }] });
		expect([answer.status, answer.body.code], JSON.stringify(values)).toEqual([400, "invalid_input"]);
	}
	for (const body of ["", "{", "[]", "null", '{"revision":"1"}', '{"revision":1}']) {
		expect((await admin("PUT", body)).status, body).toBe(400);
	}
	expect((await admin("DELETE")).status).toBe(405);
	expect((await admin("GET")).body).toEqual({ revision: 1, count: 1 });
});

test("the admin socket is open to its owner alone once the agent has used it", async () => {
	await edge.edge.replaceRoutes({ revision: 10, routes: [] });
	expect((await stat(join(edge.dataDirectory, "run/edge.sock"))).mode & 0o777).toBe(0o600);
});

test("the client refuses late changes, and mends an edge that holds another table", async () => {
	await edge.edge.replaceRoutes({ revision: 20, routes: [route("a")] });
	await expect(edge.edge.changeRoutes({ revision: 20, set: [], removed: ["a"] })).rejects.toMatchObject({
		code: "stale_generation",
	});
	await admin("PUT", { revision: 99, routes: [] });
	await edge.edge.changeRoutes({ revision: 21, set: [route("b")], removed: [] });
	expect(await edge.edge.report()).toEqual({ revision: 21, count: 2 });
	await expect(
		edge.edge.replaceRoutes({ revision: 22, routes: [route("a", { address: "8.8.8.8" })] }),
	).rejects.toMatchObject({
		code: "internal",
	});
});

test("after a restart of NGINX its routes come back by themselves, with the changes made meanwhile", async () => {
	const app = await edge.container((_, response) => response.end("here"));
	const target = { address: app.address, ports: [app.port], mainPort: app.port };
	await edge.edge.replaceRoutes({ revision: 30, routes: [route("before", target)] });
	const ending = new AbortController();
	const watching = edge.edge.watch(ending.signal);
	await edge.stop();
	await edge.edge.changeRoutes({ revision: 31, set: [route("meanwhile", target)], removed: [] });
	await edge.start();
	await until(async () => (await edge.edge.report()).revision === 31);
	expect((await edge.visit("before.apps.test")).body).toBe("here");
	expect((await edge.visit("meanwhile.apps.test")).body).toBe("here");
	ending.abort();
	await watching;
});

test("options that could break out of the configuration file are refused", () => {
	const options = {
		dataDirectory: "/var/lib/repldock",
		httpPort: 8080,
		siteUrl: "http://localhost:8080",
		siteHost: "localhost",
		gatewayHost: "node.localhost",
		appsDomain: "localhost",
		containerSubnets: ["172.30.0.0/16"],
		user: "repldock",
	};
	expect(renderEdgeConfiguration(options)).toContain("server_name localhost 127.0.0.1 [::1];");
	expect(renderEdgeConfiguration({ ...options, ipv6: false })).not.toContain("listen [::]");
	expect(renderEdgeConfiguration(options)).not.toMatch(/\{\{|\/etc\/nginx\//);
	const broken = [
		{ dataDirectory: '/tmp/"; }' },
		{ dataDirectory: "relative" },
		{ httpPort: 0 },
		{ siteHost: "a; b" },
		{ siteUrl: 'http://a"; b' },
		{ appsDomain: "Apps.test" },
		{ containerSubnets: ["10.0.0.0/0"] },
		{ containerSubnets: ['10.0.0.0/8", "0.0.0.0/1'] },
		{ user: "root; x" },
	];
	for (const change of broken)
		expect(() => renderEdgeConfiguration({ ...options, ...change }), JSON.stringify(change)).toThrow();
});
