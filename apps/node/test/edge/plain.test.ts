import { once } from "node:events";
import { connect } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { route, startEdge, type TestEdge } from "./support.ts";
import { reflect, type Seen } from "./visitors.ts";

/**
 * Plain visits go a way of their own (edge/lua/repldock/plain.lua). These tests hold the two ways against each other: a
 * header that only edges may set is removed on the long way, and turns a visit that were plain without it to that way.
 */
const turn = { "x-forwarded-anything": "1" };

let edge: TestEdge;
let keepOpen: ReturnType<typeof connect>;
let port = 0;

beforeAll(async () => {
	// One worker, which then knows the app as in use for as long as the open stream lasts.
	edge = await startEdge("apps.test", { options: { workers: 1 } });
	const app = await edge.container((incoming, response) => {
		if (incoming.url === "/stream") return void response.write("begun\n");
		if (incoming.url === "/cookie") response.setHeader("set-cookie", "a=1; Domain=apps.test");
		reflect(incoming, response);
	});
	port = app.port;
	const ports = [port, { external: 3000, local: port }];
	await edge.edge.replaceRoutes({
		revision: 1,
		routes: [route("shop", { address: app.address, ports, mainPort: port, domains: ["shop.example"] })],
	});
	keepOpen = connect(edge.port, "127.0.0.1");
	keepOpen.write("GET /stream HTTP/1.1\r\nHost: shop.apps.test\r\n\r\n");
	await once(keepOpen, "data");
	for (const host of hosts) await edge.visit(host);
});

afterAll(async () => {
	keepOpen?.destroy();
	await edge?.release();
});

const hosts = ["shop.apps.test", "3000--shop.apps.test", "shop.example"];

async function seenBy(host: string, headers: Record<string, string>, more = {}): Promise<Seen> {
	const answer = await edge.visit(host, { ...more, headers });
	expect(answer.status).toBe(200);
	return JSON.parse(answer.body) as Seen;
}

test.each(hosts)("an app at %s sees the same of a visit whichever way it went", async (host) => {
	for (const more of [{}, { method: "POST", body: "x".repeat(50_000), path: "/a?b=%20" }]) {
		const headers = { cookie: "a=1", "x-requested-with": "XMLHttpRequest", connection: "close", te: "trailers" };
		const plain = await seenBy(host, headers, more);
		expect(plain).toEqual(await seenBy(host, { ...headers, ...turn }, more));
		expect(plain.headers).toMatchObject({
			"x-forwarded-for": "127.0.0.1",
			"x-forwarded-proto": "http",
			"x-forwarded-host": `${host}:${edge.port}`,
			"x-forwarded-port": String(edge.port),
			forwarded: `for=127.0.0.1;host="${host}:${edge.port}";proto=http`,
		});
		expect(plain.names).not.toContain("te");
	}
});

const names = [
	"X-Forwarded-For",
	"x-repldock-hop",
	"X-REPLIT-USER-ID",
	"proxy",
	"accept",
	"authorization",
	"cookie",
	"x-a",
	"upgrade",
	"content-type",
];
const values = ["1", "text/event-stream", "repldock_access=1; b=2", "websocket", "Bearer rd_1", "application/grpc"];

test("whatever headers a visitor sends, the app sees the same of them on both ways", async () => {
	const headers = fc.dictionary(fc.constantFrom(...names), fc.constantFrom(...values), { maxKeys: 5 });
	await fc.assert(
		fc.asyncProperty(headers, async (sent) => {
			expect(await seenBy("shop.apps.test", sent)).toEqual(await seenBy("shop.apps.test", { ...sent, ...turn }));
		}),
		{ numRuns: 60 },
	);
});

test("an app's cookies lose their domain, and what is no plain request is refused, on the plain way too", async () => {
	const { headers } = await edge.visit("shop.apps.test", { path: "/cookie" });
	expect(headers["set-cookie"]).toEqual(["a=1"]);
	const refused = [
		"GET http://shop.apps.test/ HTTP/1.1\r\nHost: shop.apps.test\r\nConnection: close\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: shop.apps.test\r\nHost: shop.apps.test\r\nConnection: close\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: shop.apps.test/\r\nConnection: close\r\n\r\n",
	];
	for (const text of refused) expect(await edge.raw(text)).toMatch(/^HTTP\/1\.1 400 /);
});

test("a visit goes the plain way no longer once the project is private, stopped, elsewhere or gone", async () => {
	const running = { address: "127.77.0.9", ports: [port], mainPort: port };
	let revision = 1;
	async function statusOf(values: Parameters<typeof route>[1] | null) {
		const [set, removed] = values ? [[route("shop", { ...running, ...values })], []] : [[], ["shop"]];
		await edge.edge.changeRoutes({ revision: ++revision, set, removed });
		const visits = [await edge.visit("shop.apps.test"), await edge.visit("shop.apps.test")];
		// The worker knows the new route when the second one comes.
		expect(visits[1]?.status).toBe(visits[0]?.status);
		return visits[1]?.status;
	}
	expect(await statusOf({ visibility: "private" })).toBe(401);
	expect(await statusOf({ state: "stopped", address: null, ports: [], mainPort: null })).toBe(503);
	expect(await statusOf({ ports: [], mainPort: null })).toBe(503);
	expect(await statusOf(null)).toBe(404);
});
