import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { route, startEdge, type TestEdge, until } from "./support.ts";

const megabyte = 1024 * 1024;
const mostConnections = 400;

let edge: TestEdge;
let attackers: Socket[];
let sockets: WebSocketServer;
/** Requests for /hold that reached the attacked app. */
let held: ServerResponse[];

beforeEach(async () => {
	edge = await startEdge("apps.test", {
		options: {
			limits: {
				connections: mostConnections,
				requestsPerSecond: 0,
				visitorConnections: 0,
				visitorRequestsPerSecond: 0,
				bodyBytes: 0,
			},
		},
	});
	attackers = [];
	held = [];
	const chunk = Buffer.alloc(64 * 1024, "x");
	const attacked = await edge.container((incoming, response) => {
		if (incoming.url === "/hold") return void held.push(response);
		if (incoming.url === "/endless") {
			const more = () => {
				while (!response.destroyed && response.write(chunk));
			};
			response.on("drain", more);
			return more();
		}
		response.end("attacked");
	});
	sockets = new WebSocketServer({ server: attacked.server });
	const neighbour = await edge.container((_, response) => response.end("neighbour"));
	await edge.edge.replaceRoutes({
		revision: 1,
		routes: [
			route("attacked", {
				projectId: "00000000-0000-4000-8000-000000000001",
				address: attacked.address,
				ports: [attacked.port],
				mainPort: attacked.port,
			}),
			route("neighbour", {
				projectId: "00000000-0000-4000-8000-000000000002",
				address: neighbour.address,
				ports: [neighbour.port],
				mainPort: neighbour.port,
			}),
		],
	});
});

afterEach(async () => {
	for (const socket of attackers) socket.destroy();
	await edge?.release();
});

/** Opens connections that say this and then keep silent. */
async function attack(count: number, text: string): Promise<Socket[]> {
	const opened = Array.from({ length: count }, () => {
		const socket = connect(edge.port, "127.0.0.1", () => socket.write(text));
		socket.on("error", () => undefined);
		attackers.push(socket);
		return socket;
	});
	await Promise.all(opened.map((socket) => once(socket, "connect")));
	return opened;
}

async function expectNeighbourServed(): Promise<void> {
	const answers = await Promise.all(Array.from({ length: 50 }, () => edge.visit("neighbour.apps.test")));
	expect(answers.map(({ status, body }) => `${status} ${body}`)).toEqual(Array(50).fill("200 neighbour"));
}

async function workers(): Promise<number[]> {
	const master = (await readFile(join(edge.dataDirectory, "edge", "nginx.pid"), "utf8")).trim();
	const children = await readFile(`/proc/${master}/task/${master}/children`, "utf8");
	return children.trim().split(" ").map(Number);
}

/** Memory of NGINX's workers without what they share. */
async function memoryBytes(): Promise<number> {
	let total = 0;
	for (const pid of await workers()) {
		const status = await readFile(`/proc/${pid}/status`, "utf8");
		total += Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
	}
	return total;
}

test("1,000 connections that never finish their headers hold nobody up, and are ended after 10 s", async () => {
	const slow = await attack(1000, "GET / HTTP/1.1\r\nHost: attacked.apps.test\r\nX-Slow: ");
	const ended = Promise.all(slow.map((socket) => new Promise((resolve) => socket.on("close", resolve))));
	for (const socket of slow) socket.resume();
	await expectNeighbourServed();
	expect((await edge.visit("attacked.apps.test")).body).toBe("attacked");
	await ended;
});

test("bodies that never end take their project's places and nobody else's", async () => {
	const slow = await attack(
		mostConnections + 50,
		"POST /hold HTTP/1.1\r\nHost: attacked.apps.test\r\nContent-Length: 1000000\r\n\r\nx",
	);
	await until(async () => held.length === mostConnections);
	await until(async () => (await edge.visit("attacked.apps.test")).status === 503);
	await expectNeighbourServed();
	for (const socket of slow) socket.destroy();
	await until(async () => (await edge.visit("attacked.apps.test")).status === 200);
});

test("visitors that do not read an endless answer cost bounded memory, and the app waits for them", async () => {
	const before = await memoryBytes();
	const slow = await attack(150, "GET /endless HTTP/1.1\r\nHost: attacked.apps.test\r\n\r\n");
	for (const socket of slow) {
		await once(socket, "readable");
		socket.pause();
	}
	await expectNeighbourServed();
	expect((await memoryBytes()) - before).toBeLessThan(64 * megabyte);
});

test("a flood of headers is refused, in size and in number, and costs bounded memory", async () => {
	const before = await memoryBytes();
	const line = `X-Flood: ${"x".repeat(8000)}\r\n`;
	const answers = await Promise.all(
		Array.from({ length: 100 }, () =>
			edge
				.raw(`GET / HTTP/1.1\r\nHost: attacked.apps.test\r\n${line.repeat(20)}Connection: close\r\n\r\n`)
				.catch(() => ""),
		),
	);
	// The edge hangs up without reading the rest, which can break off its answer.
	for (const answer of answers.filter(Boolean)) expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
	await expectNeighbourServed();
	expect((await memoryBytes()) - before).toBeLessThan(64 * megabyte);
});

test("of thousands of idle WebSockets a project keeps as many as it may, and its neighbour has all it needs", async () => {
	const handshake =
		"GET / HTTP/1.1\r\nHost: attacked.apps.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	const opened = await attack(2000, handshake);
	await Promise.all(opened.map((socket) => once(socket, "data")));
	expect(sockets.clients.size).toBe(mostConnections);
	await expectNeighbourServed();
	for (const socket of opened) socket.destroy();
	await until(async () => sockets.clients.size === 0);
	await until(async () => (await edge.visit("attacked.apps.test")).status === 200);
});

test("an app that sends headers without end is cut off, at a bounded cost, and its visitor told", async () => {
	const before = await memoryBytes();
	let sent = 0;
	const header = `X-Endless: ${"x".repeat(1000)}\r\n`.repeat(10);
	const server = createServer((socket) => {
		socket.on("error", () => undefined);
		socket.on("data", () => undefined);
		socket.write("HTTP/1.1 200 OK\r\n");
		const more = () => {
			while (!socket.destroyed && sent < 64 * megabyte) {
				sent += header.length;
				if (!socket.write(header)) return;
			}
		};
		socket.on("drain", more);
		more();
	}).listen(0, "127.77.254.1");
	await once(server, "listening");
	const { port } = server.address() as { port: number };
	await edge.edge.changeRoutes({
		revision: 2,
		set: [route("endless", { address: "127.77.254.1", ports: [port], mainPort: port })],
		removed: [],
	});
	const answers = await Promise.all(Array.from({ length: 5 }, () => edge.visit("endless.apps.test")));
	for (const { status, body } of answers) {
		expect(status).toBe(502);
		expect(body).toContain("broke off its answer");
	}
	expect(sent).toBeLessThan(64 * megabyte);
	expect((await memoryBytes()) - before).toBeLessThan(32 * megabyte);
	await expectNeighbourServed();
	server.close();
});

test("an app stops sending when its visitor leaves", async () => {
	const [visitor] = await attack(1, "GET /endless HTTP/1.1\r\nHost: attacked.apps.test\r\n\r\n");
	if (!visitor) throw new Error("no visitor");
	await once(visitor, "data");
	visitor.destroy();
	// All places are free again only once the edge let go of the app as well.
	const holding = await attack(mostConnections, "GET /hold HTTP/1.1\r\nHost: attacked.apps.test\r\n\r\n");
	await until(async () => held.length === mostConnections);
	expect(holding).toHaveLength(mostConnections);
});

test("a worker that dies with all places of a project taken does not lock it up", async () => {
	await attack(mostConnections, "GET /hold HTTP/1.1\r\nHost: attacked.apps.test\r\n\r\n");
	await until(async () => held.length === mostConnections);
	expect((await edge.visit("attacked.apps.test")).status).toBe(503);
	for (const pid of await workers()) process.kill(pid, "SIGKILL");
	await until(async () => {
		const answer = await edge.visit("attacked.apps.test").catch(() => undefined);
		return answer?.status === 200;
	});
	await expectNeighbourServed();
});
