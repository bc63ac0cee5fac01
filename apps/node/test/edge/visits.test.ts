import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import type { VisitRecord } from "@repldock/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { route, startEdge, type TestEdge, until } from "./support.ts";

const projectId = randomUUID();
const flooded = randomUUID();

let edge: TestEdge;
let onNever: () => void;
const never = new Promise<void>((resolve) => {
	onNever = resolve;
});

beforeAll(async () => {
	edge = await startEdge();
	const app = await edge.container((incoming, response) => {
		const status = Number(/^\/status\/(\d+)/.exec(incoming.url ?? "")?.[1] ?? 200);
		if (incoming.url === "/never") return onNever();
		if (incoming.url === "/broken") return void incoming.socket.destroy();
		incoming.resume();
		incoming.on("end", () => response.writeHead(status).end("x".repeat(1000)));
	});
	const sockets = new WebSocketServer({ server: app.server });
	sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
	const at = { address: app.address, ports: [app.port], mainPort: app.port };
	await edge.edge.replaceRoutes({
		revision: 1,
		routes: [
			route("shop", { projectId, ...at }),
			route("busy", { projectId: flooded, ...at }),
			route("asleep", { projectId, state: "stopped" }),
		],
	});
});

afterAll(() => edge?.release());

/** Fetches until this many records of the project came. */
async function records(count: number, id = projectId): Promise<VisitRecord[]> {
	const found: VisitRecord[] = [];
	const signal = AbortSignal.timeout(40_000);
	while (found.length < count) {
		const batch = await edge.edge.nextVisits(signal);
		found.push(...batch.records.filter((record) => record.projectId === id));
	}
	return found;
}

async function totals(id: string = projectId) {
	return (await edge.edge.counters(id)).projects[id];
}

async function counted(id: string): Promise<number> {
	const classes: number[] = Object.values((await totals(id))?.requests ?? {});
	return classes.reduce((sum, count) => sum + count, 0);
}

test("each visit is told once, with what was asked, what came of it, and who asked", async () => {
	await edge.visit("shop.apps.test", {
		method: "POST",
		path: "/a%2Fb//c?q=1&r=%20",
		headers: { "user-agent": "Mozilla/5.0 (Test)" },
		body: "y".repeat(5000),
	});
	await edge.visit("shop.apps.test", { path: "/status/404" });
	await edge.visit("asleep.apps.test", { path: "/x" });
	await edge.visit("shop.apps.test", { path: "/broken" });
	// Two workers tell of their own; which one first is nobody's promise.
	const found = await records(4);
	const [post, missing, asleep, broken] = ["/a%2Fb//c?q=1&r=%20", "/status/404", "/x", "/broken"].map((path) =>
		found.find((record) => record.path === path),
	);
	expect(post).toMatchObject({
		projectId,
		host: `shop.apps.test:${edge.port}`,
		method: "POST",
		path: "/a%2Fb//c?q=1&r=%20",
		status: 200,
		address: "127.0.0.1",
		protocol: "HTTP/1.1",
		answeredBy: "app",
		userAgent: "Mozilla/5.0 (Test)",
	});
	expect(post?.bytesIn).toBeGreaterThan(5000);
	expect(post?.bytesOut).toBeGreaterThan(1000);
	expect(Math.abs(Date.now() - (post?.atMs ?? 0))).toBeLessThan(60_000);
	expect(post?.durationMs).toBeGreaterThanOrEqual(0);
	expect(missing).toMatchObject({ status: 404, answeredBy: "app", userAgent: null });
	expect(asleep).toMatchObject({ status: 503, answeredBy: "edge", path: "/x" });
	expect(broken).toMatchObject({ status: 502, answeredBy: "edge" });
});

test("addresses of our own are not recorded, however they are written, nor anything long or wild", async () => {
	await edge.service("agent", (_, response) => void response.writeHead(403).end());
	await edge.visit("shop.apps.test", { path: "/_repldock/enter?token=secret-1" });
	await edge.visit("shop.apps.test", { path: "/x/..//%5frepldock/enter?token=secret-2" });
	await edge.visit("shop.apps.test", { path: "/%5Frepldock/enter?token=secret-3" });
	await edge.visit("shop.apps.test", {
		path: `/${"p".repeat(3000)}`,
		headers: { "user-agent": "u".repeat(3000) },
	});
	await edge.raw(
		'GET /"\\é?\xff HTTP/1.1\r\nHost: shop.apps.test\r\nUser-Agent: \x1b[31m"\r\nConnection: close\r\n\r\n',
	);
	const found = await records(3);
	// What the edge understands as its own address is none of the app's; the second is the app's, who gets it like this.
	const [escaped, long, wild] = ["/x/", "/p", '/"'].map((start) => found.find(({ path }) => path.startsWith(start)));
	expect(escaped?.path).toBe("/x/..//%5frepldock/enter?token=secret-2");
	expect(long?.path).toHaveLength(512);
	expect(long?.userAgent).toHaveLength(200);
	expect(wild?.path.startsWith('/"\\')).toBe(true);
});

test("totals count every request by status, and all bytes, also of WebSockets and of visitors that gave up", async () => {
	// Those of the tests above.
	await until(async () => (await counted(projectId)) === 9);
	const before = await totals();
	for (const status of [200, 204, 301, 404, 500]) await edge.visit("shop.apps.test", { path: `/status/${status}` });

	const socket = new WebSocket(`ws://127.0.0.1:${edge.port}/`, { headers: { host: "shop.apps.test" } });
	await once(socket, "open");
	socket.send("z".repeat(100_000));
	await once(socket, "message");
	socket.close();
	await once(socket, "close");

	const gaveUp = request({ host: "127.0.0.1", port: edge.port, path: "/never", headers: { host: "shop.apps.test" } });
	gaveUp.on("error", () => undefined);
	gaveUp.end();
	await never;
	gaveUp.destroy();

	await until(async () => (await totals())?.requests["4xx"] === (before?.requests["4xx"] ?? 0) + 2);
	await until(async () => (await totals())?.requests["1xx"] === (before?.requests["1xx"] ?? 0) + 1);
	await until(async () => (await totals())?.requests["5xx"] === (before?.requests["5xx"] ?? 0) + 1);
	await until(async () => (await totals())?.requests["2xx"] === (before?.requests["2xx"] ?? 0) + 2);
	const after = await totals();
	expect(after?.requests["2xx"]).toBe((before?.requests["2xx"] ?? 0) + 2);
	expect(after?.requests["3xx"]).toBe((before?.requests["3xx"] ?? 0) + 1);
	expect(after?.requests["5xx"]).toBe((before?.requests["5xx"] ?? 0) + 1);
	expect((after?.bytesIn ?? 0) - (before?.bytesIn ?? 0)).toBeGreaterThan(100_000);
	expect((after?.bytesOut ?? 0) - (before?.bytesOut ?? 0)).toBeGreaterThan(100_000);
	const told = await records(8);
	// A WebSocket is told when it begins and when it ends.
	const [begun, ended] = told.filter(({ status }) => status === 101);
	expect(begun).toMatchObject({ answeredBy: "app", path: "/", open: true });
	expect(ended).toMatchObject({ answeredBy: "app", path: "/", open: false, socket: begun?.socket });
	expect(begun?.socket).toMatch(/^[0-9a-f]{32}$/);
	expect(ended?.bytesIn).toBeGreaterThan(100_000);
	expect(told.find(({ status }) => status === 499)).toMatchObject({ answeredBy: "edge", path: "/never" });
});

test("a flood of one project is counted to the last request, recorded in part, and costs others no record", async () => {
	const floods = 2000;
	let sent = 0;
	async function visitor() {
		while (sent < floods) {
			sent += 1;
			await edge.visit("busy.apps.test");
		}
	}
	await Promise.all([...Array.from({ length: 20 }, visitor), edge.visit("shop.apps.test", { path: "/quiet" })]);
	const found: VisitRecord[] = [];
	let more = 0;
	const signal = AbortSignal.timeout(40_000);
	const ours = () => found.filter((record) => record.projectId === flooded).length;
	while (ours() + more < floods) {
		const batch = await edge.edge.nextVisits(signal);
		found.push(...batch.records);
		more += batch.unrecorded[flooded] ?? 0;
	}
	expect(ours() + more).toBe(floods);
	expect(ours()).toBeLessThan(floods);
	expect(found.some(({ path }) => path === "/quiet")).toBe(true);
	await until(async () => (await counted(flooded)) >= floods);
	expect(await counted(flooded)).toBe(floods);
});

test("a WebSocket is told while it is open", async () => {
	const socket = new WebSocket(`ws://127.0.0.1:${edge.port}/live`, { headers: { host: "shop.apps.test" } });
	await once(socket, "open");
	expect((await records(1))[0]).toMatchObject({ status: 101, path: "/live", open: true });
	socket.close();
	expect((await records(1))[0]).toMatchObject({ status: 101, path: "/live", open: false });
});

test("an agent that goes away while it waits takes no record with it", async () => {
	const gone = new AbortController();
	const waiting = edge.edge.nextVisits(gone.signal);
	gone.abort();
	await expect(waiting).rejects.toThrow();
	await edge.visit("shop.apps.test", { path: "/after" });
	const [record] = await records(1);
	expect(record?.path).toBe("/after");
});

test("totals outlive a reconnecting agent, and a new beginning has another name", async () => {
	const before = await edge.edge.counters();
	expect(Object.keys(before.projects).sort()).toEqual([projectId, flooded].sort());
	expect((await edge.edge.counters()).epoch).toBe(before.epoch);
	await edge.stop();
	await edge.start();
	const after = await edge.edge.counters();
	expect(after.epoch).not.toBe(before.epoch);
	expect(after.projects).toEqual({});
});
