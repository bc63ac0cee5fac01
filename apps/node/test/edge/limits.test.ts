import { once } from "node:events";
import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { afterEach, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { EdgeLimits } from "../../src/host/edge-process.ts";
import { route, startEdge, type TestEdge, until } from "./support.ts";
import { type Answer, readAll } from "./visitors.ts";

const none: EdgeLimits = {
	connections: 0,
	requestsPerSecond: 0,
	visitorConnections: 0,
	visitorRequestsPerSecond: 0,
	bodyBytes: 0,
};

let edge: TestEdge;
/** Answers to requests for /hold, in the order they came. */
let held: ServerResponse[];

afterEach(() => edge?.release());

/** Two projects in one container, which answers all but /hold at once. */
async function start(limits: Partial<EdgeLimits>) {
	edge = await startEdge("apps.test", { options: { limits: { ...none, ...limits } } });
	held = [];
	const app = await edge.container((incoming, response) => {
		if (incoming.url === "/hold") return void held.push(response);
		let bytes = 0;
		incoming.on("data", (chunk: Buffer) => {
			bytes += chunk.length;
		});
		incoming.on("end", () => response.end(String(bytes)));
	});
	const sockets = new WebSocketServer({ server: app.server });
	const at = { address: app.address, ports: [app.port], mainPort: app.port };
	await edge.edge.replaceRoutes({
		revision: 1,
		routes: [
			route("shop", { projectId: "00000000-0000-4000-8000-000000000001", ...at }),
			route("other", { projectId: "00000000-0000-4000-8000-000000000002", ...at }),
		],
	});
	return { sockets };
}

/** A request that goes on until it is ended; visitors are told apart by their loopback address. */
function open(host: string, path: string, from = "127.0.0.1") {
	const outgoing = request({
		host: "127.0.0.1",
		port: edge.port,
		agent: false,
		localAddress: from,
		path,
		headers: { host },
	});
	outgoing.on("error", () => undefined);
	outgoing.end();
	return outgoing;
}

async function status(host: string, path = "/", from?: string): Promise<number> {
	const [response] = (await once(open(host, path, from), "response")) as [IncomingMessage];
	await readAll(response);
	return response.statusCode ?? 0;
}

async function statuses(count: number, host: string, from?: string): Promise<Record<number, number>> {
	const found: Record<number, number> = {};
	for (let index = 0; index < count; index += 1) {
		const each = await status(host, "/", from);
		found[each] = (found[each] ?? 0) + 1;
	}
	return found;
}

/** The first answer that the app did not give: what it may serve comes back with time. */
async function refused(accept: string): Promise<Answer> {
	for (;;) {
		const answer = await edge.visit("shop.apps.test", { headers: { accept } });
		if (answer.status !== 200) return answer;
	}
}

test("a project over its requests a second is refused with 429 and when to come again, and its neighbour is not", async () => {
	await start({ requestsPerSecond: 20 });
	const startedAtMs = performance.now();
	const found = await Promise.all(Array.from({ length: 200 }, () => status("shop.apps.test")));
	const served = found.filter((each) => each === 200).length;
	expect(new Set(found)).toEqual(new Set([200, 429]));
	// Two seconds' worth at once, and what came back meanwhile; each worker sees time in steps of its own.
	expect(served).toBeGreaterThanOrEqual(40);
	expect(served).toBeLessThanOrEqual(45 + ((performance.now() - startedAtMs) / 1000) * 20);
	expect(await statuses(30, "other.apps.test")).toEqual({ 200: 30 });
	const refusal = await refused("application/json");
	expect(refusal.status).toBe(429);
	expect(refusal.headers["retry-after"]).toBe("2");
	expect(refusal.headers["content-type"]).toBe("application/problem+json");
	expect(JSON.parse(refusal.body)).toMatchObject({ code: "too_many_requests", status: 429 });
	expect((await refused("text/html")).body).toContain("too many visitors");
	await until(async () => (await status("shop.apps.test")) === 200);
});

test("one visitor over the allowance of one is refused while another visitor of the same project is served", async () => {
	await start({ visitorRequestsPerSecond: 10, requestsPerSecond: 1000 });
	const found = await Promise.all(Array.from({ length: 100 }, () => status("shop.apps.test", "/", "127.0.0.2")));
	expect(found).toContain(429);
	expect(await statuses(10, "shop.apps.test", "127.0.0.3")).toEqual({ 200: 10 });
	expect(await statuses(10, "other.apps.test", "127.0.0.2")).toEqual({ 200: 10 });
});

test("a project serves so many requests at once and no more, and counts out each that ends, also by hanging up", async () => {
	await start({ connections: 5 });
	for (let round = 0; round < 3; round += 1) {
		const holding = Array.from({ length: 5 }, () => open("shop.apps.test", "/hold"));
		await until(async () => held.length === 5);
		const refusal = await edge.visit("shop.apps.test");
		expect(refusal.status).toBe(503);
		expect(refusal.headers["retry-after"]).toBe("5");
		expect(await status("other.apps.test")).toBe(200);
		for (const each of holding) each.destroy();
		held = [];
		await until(async () => (await status("shop.apps.test")) === 200);
	}
	// Nothing is left over of those that were refused, broke off or found nobody: all five places are there.
	await edge.visit("shop.apps.test", { path: "/broken" });
	const again = Array.from({ length: 5 }, () => open("shop.apps.test", "/hold"));
	await until(async () => held.length === 5);
	for (const response of held) response.end();
	await Promise.all(again.map((each) => (each.destroyed ? undefined : once(each, "close"))));
	await until(async () => (await status("shop.apps.test")) === 200);
});

test("an app that breaks off and requests that turn to an error page keep no place", async () => {
	await start({ connections: 2, bodyBytes: 1000 });
	const breaking = await edge.container((incoming) => incoming.socket.destroy());
	const at = { address: breaking.address, ports: [breaking.port], mainPort: breaking.port };
	await edge.edge.changeRoutes({ revision: 2, set: [route("breaks", at)], removed: [] });
	for (let index = 0; index < 5; index += 1) {
		expect((await edge.visit("breaks.apps.test")).status).toBe(502);
		expect((await edge.visit("breaks.apps.test", { method: "POST", body: "x".repeat(2000) })).status).toBe(413);
	}
});

test("WebSockets of one visitor count as long as they are open, and leave room for others", async () => {
	const { sockets } = await start({ visitorConnections: 3, connections: 100 });
	const dial = (from: string) =>
		new WebSocket(`ws://127.0.0.1:${edge.port}/`, { headers: { host: "shop.apps.test" }, localAddress: from });
	const greedy = Array.from({ length: 3 }, () => dial("127.0.0.2"));
	await Promise.all(greedy.map((socket) => once(socket, "open")));
	const refused = dial("127.0.0.2");
	refused.on("error", () => undefined);
	const [, response] = (await once(refused, "unexpected-response")) as [unknown, IncomingMessage];
	expect(response.statusCode).toBe(503);
	const other = dial("127.0.0.3");
	await once(other, "open");
	expect(sockets.clients.size).toBe(4);
	greedy[0]?.close();
	await until(async () => (await status("shop.apps.test", "/", "127.0.0.2")) === 200);
	for (const socket of [...greedy, other]) socket.terminate();
});

test("a body above the limit is refused clearly, whether its length is told or it is counted as it streams", async () => {
	await start({ bodyBytes: 1024 * 1024 });
	const most = "x".repeat(1024 * 1024);
	expect((await edge.visit("shop.apps.test", { method: "POST", body: most })).body).toBe(String(most.length));
	const told = await edge.visit("shop.apps.test", {
		method: "POST",
		body: `${most}x`,
		headers: { accept: "application/json" },
	});
	expect(told.status).toBe(413);
	expect(JSON.parse(told.body)).toMatchObject({ code: "file_too_large", detail: expect.stringContaining("1 MB") });

	const chunked = request({
		host: "127.0.0.1",
		port: edge.port,
		agent: false,
		method: "POST",
		headers: { host: "shop.apps.test" },
	});
	chunked.on("error", () => undefined);
	for (let index = 0; index < 3; index += 1) chunked.write(Buffer.alloc(512 * 1024));
	const [response] = (await once(chunked, "response")) as [IncomingMessage];
	expect(response.statusCode).toBe(413);
	expect(await readAll(response)).toContain("too large to send");
	chunked.destroy();
});

test("a limit of nothing is none", async () => {
	await start({});
	expect(await statuses(200, "shop.apps.test")).toEqual({ 200: 200 });
});
