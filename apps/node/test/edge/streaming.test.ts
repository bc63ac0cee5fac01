import { once } from "node:events";
import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { route, startEdge, type TestEdge } from "./support.ts";

const megabyte = 1024 * 1024;

let edge: TestEdge;
let openStream: Promise<ServerResponse>;
let uploadStarted: Promise<IncomingMessage>;

beforeAll(async () => {
	edge = await startEdge();
	let onStream: (response: ServerResponse) => void;
	let onUpload: (incoming: IncomingMessage) => void;
	openStream = new Promise((resolve) => {
		onStream = resolve;
	});
	uploadStarted = new Promise((resolve) => {
		onUpload = resolve;
	});
	const listener = (incoming: IncomingMessage, response: ServerResponse) => {
		if (incoming.url === "/events") {
			response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
			return onStream(response);
		}
		if (incoming.url === "/broken") return void incoming.socket.destroy();
		let bytes = 0;
		onUpload(incoming);
		incoming.on("data", (chunk: Buffer) => {
			bytes += chunk.length;
		});
		incoming.on("end", () =>
			response.end(JSON.stringify({ bytes, framing: incoming.headers["transfer-encoding"] ?? "length" })),
		);
	};
	const app = await edge.container(listener);
	await edge.service("agent", listener);
	await edge.edge.replaceRoutes({
		revision: 1,
		routes: [route("live", { address: app.address, ports: [app.port], mainPort: app.port })],
	});
});

afterAll(() => edge?.release());

function open(host: string, path: string, options: { method?: string; headers?: Record<string, string> } = {}) {
	return request({
		host: "127.0.0.1",
		port: edge.port,
		agent: false,
		path,
		method: options.method ?? "GET",
		headers: { host, ...options.headers },
	});
}

test("an event reaches the visitor while the response goes on", async () => {
	const outgoing = open("live.apps.test", "/events");
	outgoing.end();
	const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
	const stream = await openStream;
	for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
		stream.write(event);
		const [chunk] = (await once(incoming, "data")) as [Buffer];
		expect(chunk.toString()).toBe(event);
	}
	const appSawEnd = once(stream, "close");
	outgoing.destroy();
	await appSawEnd;
});

test("an upload reaches the app while it is still being sent", async () => {
	const outgoing = open("live.apps.test", "/upload", { method: "POST" });
	outgoing.write("first");
	const incoming = await uploadStarted;
	expect(incoming.headers["transfer-encoding"]).toBe("chunked");
	outgoing.end("last");
	const [response] = (await once(outgoing, "response")) as [IncomingMessage];
	response.resume();
	expect(response.statusCode).toBe(200);
});

for (const [host, framing] of [
	["live.apps.test", "chunked"],
	["live.apps.test", "length"],
	["node.apps.test", "length"],
] as const) {
	test(`100 MB stream through to ${host} (${framing})`, async () => {
		const chunk = Buffer.alloc(megabyte, "x");
		const headers: Record<string, string> = framing === "length" ? { "content-length": String(100 * megabyte) } : {};
		const outgoing = open(host, "/upload", { method: "PUT", headers });
		const answered = once(outgoing, "response");
		for (let index = 0; index < 100; index += 1) {
			if (!outgoing.write(chunk)) await once(outgoing, "drain");
		}
		outgoing.end();
		const [response] = (await answered) as [IncomingMessage];
		const body = Buffer.concat(await response.toArray()).toString();
		expect(JSON.parse(body)).toEqual({ bytes: 100 * megabyte, framing });
	});
}

test("an app that hangs up without an answer gets a page of ours", async () => {
	const answer = await edge.visit("live.apps.test", { path: "/broken" });
	expect(answer.status).toBe(502);
	expect(answer.body).toContain("broke off its answer");
});

test("a pipelining client gets its answers in order, over one connection", async () => {
	const socket = connect(edge.port, "127.0.0.1");
	const put = (body: string, connection: string) =>
		`PUT /x HTTP/1.1\r\nHost: live.apps.test\r\nContent-Length: ${body.length}\r\nConnection: ${connection}\r\n\r\n${body}`;
	socket.write(put("1", "keep-alive") + put("22", "keep-alive") + put("333", "close"));
	const text = Buffer.concat(await socket.toArray()).toString();
	expect([...text.matchAll(/"bytes":(\d)/g)].map((match) => match[1])).toEqual(["1", "2", "3"]);
});
