import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { route, startEdge, type TestEdge } from "./support.ts";
import { reflect, type Seen } from "./visitors.ts";

const megabyte = 1024 * 1024;
const compressed = gzipSync("hello, visitor ".repeat(100));
const large = randomBytes(8 * megabyte);

let edge: TestEdge;

beforeAll(async () => {
	edge = await startEdge();
	const app = await edge.container((incoming, response) => {
		switch (incoming.url) {
			case "/gzip":
				return response.writeHead(200, { "content-encoding": "gzip", vary: "accept-encoding" }).end(compressed);
			case "/large":
				return response.end(large);
			case "/range":
				if (incoming.headers.range === "bytes=0-3")
					return response.writeHead(206, { "content-range": "bytes 0-3/10", "accept-ranges": "bytes" }).end("0123");
				return response.writeHead(416, { "content-range": "bytes */10" }).end();
			case "/signed":
				return response
					.writeHead(200, { date: "Thu, 01 Jan 1970 00:00:00 GMT", server: "my-server/1", connection: "close, x-hop" })
					.end();
			case "/early":
				return response.writeHead(403).end("no need to send all that");
			case "/early-close":
				return response.writeHead(403, { connection: "close" }).end("no need to send all that");
			case "/empty":
				return response.writeHead(204).end();
			case "/same":
				return response.writeHead(304, { etag: '"1"' }).end();
		}
		reflect(incoming, response);
	});
	const sockets = new WebSocketServer({
		server: app.server,
		maxPayload: 64 * megabyte,
		handleProtocols: (offered) => [...offered].at(-1) ?? false,
	});
	sockets.on("connection", (socket) => {
		socket.on("message", (data, isBinary) => {
			if (data.toString() === "close") socket.close(4321, "as asked");
			else socket.send(data, { binary: isBinary });
		});
	});
	await edge.edge.replaceRoutes({
		revision: 1,
		routes: [route("app", { address: app.address, ports: [app.port], mainPort: app.port })],
	});
});

afterAll(() => edge?.release());

function ask(path: string, headers: Record<string, string> = {}, method = "GET", agent: Agent | false = false) {
	return request({
		host: "127.0.0.1",
		port: edge.port,
		agent,
		method,
		path,
		headers: { host: "app.apps.test", ...headers },
	});
}

async function answer(
	path: string,
	headers: Record<string, string> = {},
	method = "GET",
	agent: Agent | false = false,
) {
	const outgoing = ask(path, headers, method, agent);
	outgoing.end();
	const [response] = (await once(outgoing, "response")) as [IncomingMessage];
	return { status: response.statusCode, headers: response.headers, body: Buffer.concat(await response.toArray()) };
}

/** An app that says what no HTTP library would. */
async function rawApp(slug: string, revision: number, serve: (socket: Socket) => void) {
	const server = createServer((socket) => {
		socket.on("error", () => undefined);
		serve(socket);
	}).listen(0, "127.77.255.1");
	await once(server, "listening");
	const { port } = server.address() as { port: number };
	await edge.edge.changeRoutes({
		revision,
		set: [route(slug, { address: "127.77.255.1", ports: [port], mainPort: port })],
		removed: [],
	});
	return server;
}

test("one connection of a visitor serves many requests", async () => {
	const agent = new Agent({ keepAlive: true, maxSockets: 1 });
	const ports = new Set<number | undefined>();
	for (let index = 0; index < 20; index += 1) {
		const outgoing = ask("/", {}, "GET", agent);
		outgoing.end();
		const [response] = (await once(outgoing, "response")) as [IncomingMessage];
		ports.add(outgoing.socket?.localPort);
		await response.toArray();
	}
	agent.destroy();
	expect(ports.size).toBe(1);
});

test("a WebSocket carries its subprotocol, frames of 16 MB both ways, and the app's closing code", async () => {
	const socket = new WebSocket(`ws://127.0.0.1:${edge.port}/`, ["first", "second"], {
		headers: { host: "app.apps.test" },
		maxPayload: 64 * megabyte,
	});
	await once(socket, "open");
	expect(socket.protocol).toBe("second");
	const frame = randomBytes(16 * megabyte);
	socket.send(frame);
	const [echo, isBinary] = (await once(socket, "message")) as [Buffer, boolean];
	expect(isBinary).toBe(true);
	expect(echo.equals(frame)).toBe(true);
	socket.send("close");
	const [code, reason] = (await once(socket, "close")) as [number, Buffer];
	expect([code, reason.toString()]).toEqual([4321, "as asked"]);
});

test("paths reach the app as they were written: escapes, double slashes, dots, queries", async () => {
	for (const path of ["/a%2Fb", "//double///slash", "/a/%2e%2e/b", "/%E2%9C%93?x=%26&y=a+b&&", "/;p=1/*", "/a?b?c"]) {
		const text = await edge.raw(`GET ${path} HTTP/1.1\r\nHost: app.apps.test\r\nConnection: close\r\n\r\n`);
		const seen = JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1)) as Seen;
		expect(seen.url).toBe(path);
	}
});

test("ranges, and the app's answers to them, pass unchanged", async () => {
	const part = await answer("/range", { range: "bytes=0-3" });
	expect([part.status, part.headers["content-range"], part.body.toString()]).toEqual([206, "bytes 0-3/10", "0123"]);
	const beyond = await answer("/range", { range: "bytes=90-" });
	expect([beyond.status, beyond.headers["content-range"]]).toEqual([416, "bytes */10"]);
});

test("compressed and large answers arrive as the app sent them, byte for byte", async () => {
	const zipped = await answer("/gzip", { "accept-encoding": "gzip" });
	expect(zipped.headers["content-encoding"]).toBe("gzip");
	expect(zipped.body.equals(compressed)).toBe(true);
	expect((await answer("/large")).body.equals(large)).toBe(true);
});

test("HEAD, 204 and 304 have no body and keep the connection good for the next request", async () => {
	const agent = new Agent({ keepAlive: true, maxSockets: 1 });
	const head = await answer("/large", {}, "HEAD", agent);
	expect([head.status, head.body.length]).toEqual([200, 0]);
	expect((await answer("/empty", {}, "GET", agent)).status).toBe(204);
	const same = await answer("/same", {}, "GET", agent);
	expect([same.status, same.headers.etag]).toEqual([304, '"1"']);
	expect((await answer("/", {}, "GET", agent)).status).toBe(200);
	agent.destroy();
});

test("the app's Date and Server stand, and its hop-by-hop headers end at the edge", async () => {
	const { headers } = await answer("/signed");
	expect(headers.date).toBe("Thu, 01 Jan 1970 00:00:00 GMT");
	expect(headers.server).toBe("my-server/1");
	expect(headers.connection).toBe("close");
});

test("a client that waits for 100 Continue is told to go on, and its body arrives", async () => {
	const outgoing = ask("/upload", { expect: "100-continue", "content-length": "5" }, "PUT");
	outgoing.flushHeaders();
	await once(outgoing, "continue");
	outgoing.end("hello");
	const [response] = (await once(outgoing, "response")) as [IncomingMessage];
	const seen = JSON.parse(Buffer.concat(await response.toArray()).toString()) as Seen;
	expect(response.statusCode).toBe(200);
	expect(seen.headers["content-length"]).toBe("5");
});

/** Sends an upload that never ends until the app's answer begins. @returns all that came back until then. */
async function uploadUntilAnswered(path: string): Promise<string> {
	const socket = connect(edge.port, "127.0.0.1");
	let received = "";
	socket.on("data", (chunk) => {
		received += chunk;
	});
	socket.on("error", () => undefined);
	socket.write(`POST ${path} HTTP/1.1\r\nHost: app.apps.test\r\nContent-Length: 100000000\r\n\r\n`);
	const chunk = Buffer.alloc(64 * 1024);
	const sending = setInterval(() => socket.writable && socket.write(chunk), 1);
	await expect.poll(() => received, { timeout: 30_000 }).toMatch(/no need to send all that|broke off its answer/);
	clearInterval(sending);
	socket.destroy();
	return received;
}

test("an app may answer before an upload is over, and the visitor gets that answer", async () => {
	const received = await uploadUntilAnswered("/early");
	expect(received).toMatch(/^HTTP\/1\.1 403 /);
	expect(received).toContain("no need to send all that");
});

// The kernel resets a connection that is closed over unread bytes, and NGINX takes an answer before a reset only when
// it reads before it writes again: which of the two comes is chance, as with any proxy, but one comes at once.
test("an app that answers an upload and hangs up leaves the visitor with its answer or with a page", async () => {
	for (let round = 0; round < 5; round += 1) {
		expect(await uploadUntilAnswered("/early-close")).toMatch(/^HTTP\/1\.1 (403|502) /);
	}
});

// NGINX knows 103 from version 1.29 on. Before, it is an answer like another, whose end must not be the app's to say.
test("an informational answer is a bad one, framed so that nothing after it is taken for another answer", async () => {
	for (const [index, first] of ["103 Early Hints", "101 Switching Protocols", "100 Continue"].entries()) {
		const server = await rawApp("hints", 2 + index, (socket) => {
			socket.once("data", () => socket.end(`HTTP/1.1 ${first}\r\nX-First: 1\r\n\r\nHTTP/1.1 200 OK\r\n\r\nsmuggled`));
		});
		const agent = new Agent({ keepAlive: true, maxSockets: 1 });
		const outgoing = ask("/", { host: "hints.apps.test" }, "GET", agent);
		outgoing.end();
		const [response] = (await once(outgoing, "response")) as [IncomingMessage];
		await response.toArray();
		expect(response.statusCode).toBe(502);
		expect((await answer("/empty", {}, "GET", agent)).status).toBe(204);
		agent.destroy();
		server.close();
	}
});

test("trailers of an app end at the edge without harm to its answer or the next one", async () => {
	const server = await rawApp("trailing", 9, (socket) => {
		socket.on("data", () =>
			socket.write(
				"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n4\r\ndone\r\n0\r\nX-Sum: 1\r\n\r\n",
			),
		);
	});
	for (let index = 0; index < 3; index += 1) {
		expect((await edge.visit("trailing.apps.test")).body).toBe("done");
	}
	server.close();
});
