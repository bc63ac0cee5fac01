import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import { route, startEdge, type TestEdge, workersOf } from "./support.ts";

let edge: TestEdge;
let workers: number[];
let revision = 1;
const released: (() => void)[] = [];

beforeAll(async () => {
	edge = await startEdge("apps.test", { options: { answerTimeoutMs: 700 } });
	await edge.edge.replaceRoutes({ revision, routes: [] });
	workers = await workersOf(edge);
});

afterAll(async () => {
	for (const release of released) release();
	expect(await workersOf(edge)).toEqual(workers);
	await edge?.release();
});

/** A container whose server does with each connection what it likes. */
async function badApp(slug: string, serve: (socket: Socket) => void): Promise<void> {
	const sockets = new Set<Socket>();
	const server = createServer((socket) => {
		sockets.add(socket.on("error", () => undefined));
		serve(socket);
	}).listen(0, "127.77.210.1");
	await once(server, "listening");
	released.push(() => {
		for (const socket of sockets) socket.destroy();
		server.close();
	});
	const { port } = server.address() as AddressInfo;
	revision += 1;
	await edge.edge.changeRoutes({
		revision,
		set: [route(slug, { address: "127.77.210.1", ports: [port], mainPort: port })],
		removed: [],
	});
}

const answering = (text: string) => (socket: Socket) => socket.once("data", () => socket.end(text));

test("an app that closes early or breaks off its headers gets a page of ours", async () => {
	const broken: Record<string, (socket: Socket) => void> = {
		closes: (socket) => socket.destroy(),
		hears: (socket) => socket.once("data", () => socket.destroy()),
		silent: answering(""),
		breaks: answering("HTTP/1.1 200 OK\r\nContent-Le"),
		nul: answering("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n"),
	};
	for (const [slug, serve] of Object.entries(broken)) {
		await badApp(slug, serve);
		const { status, body } = await edge.visit(`${slug}.apps.test`);
		expect([slug, status]).toEqual([slug, 502]);
		expect(body, slug).toMatch(/The app broke off its answer|The app does not answer/);
	}
});

test("what an app says in another language than HTTP is never passed on", async () => {
	const nonsense: Record<string, string> = {
		babbles: "said by the app\r\n\r\n",
		wrong: "HTTP/1.1 banana\r\nX: said by the app\r\n\r\n",
		tls: "\x15\x03\x01\x00\x02\x02\x28 said by the app",
	};
	for (const [slug, text] of Object.entries(nonsense)) {
		await badApp(slug, answering(text));
		const received = await edge.raw(`GET / HTTP/1.1\r\nHost: ${slug}.apps.test\r\nConnection: close\r\n\r\n`);
		expect(received, slug).not.toContain("said by the app");
	}
});

test("an app that sends headers without end is cut off after a few kilobytes", async () => {
	let sent = 0;
	let cut = false;
	await badApp("flood", (socket) => {
		socket.on("close", () => {
			cut = true;
		});
		const more = () => {
			while (sent < 1024 ** 3 && !socket.destroyed) {
				const line = `X-Header-${sent}: ${"x".repeat(8000)}\r\n`;
				sent += line.length;
				if (!socket.write(line)) return socket.once("drain", more);
			}
			return socket.end();
		};
		socket.once("data", () => {
			socket.write("HTTP/1.1 200 OK\r\n");
			more();
		});
	});
	const { status, body } = await edge.visit("flood.apps.test");
	expect(status).toBe(502);
	expect(body).toContain("The app broke off its answer");
	await expect.poll(() => cut).toBe(true);
	// What the kernel's buffers of both ends hold, at most.
	expect(sent).toBeLessThan(32 * 1024 ** 2);
});

test("an app that never answers gets a clear 504, while sockets and event streams may be silent for longer", async () => {
	let stream: ServerResponse | undefined;
	const app = await edge.container((incoming, response) => {
		if (incoming.url !== "/events") return;
		stream = response;
		response.writeHead(200, { "content-type": "text/event-stream" }).write("data: first\n\n");
	});
	const sockets = new WebSocketServer({ server: app.server });
	sockets.on("connection", (socket) => socket.on("message", (data: RawData) => socket.send(`echo ${data}`)));
	revision += 1;
	const target = { address: app.address, ports: [app.port], mainPort: app.port };
	await edge.edge.changeRoutes({ revision, set: [route("slow", target)], removed: [] });
	const socket = new WebSocket(`ws://127.0.0.1:${edge.port}/`, { headers: { host: "slow.apps.test" } });
	await once(socket, "open");
	const accept = { accept: "text/event-stream" };
	const events = edge.visit("slow.apps.test", { path: "/events", headers: accept });
	await expect.poll(() => stream !== undefined).toBe(true);
	// Twice the limit passes for the two streams.
	for (const path of ["/one", "/two"]) {
		const { status, headers, body } = await edge.visit("slow.apps.test", { path });
		expect(status).toBe(504);
		expect(body).toContain("The app takes too long");
		expect(headers["retry-after"]).toBe("10");
	}
	const problem = await edge.visit("slow.apps.test", { headers: { accept: "application/json" } });
	expect(JSON.parse(problem.body)).toMatchObject({ status: 504, code: "timed_out" });
	socket.send("still here");
	expect(String((await once(socket, "message"))[0])).toBe("echo still here");
	socket.close();
	stream?.end("data: last\n\n");
	expect((await events).body).toBe("data: first\n\ndata: last\n\n");
});
