import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server, type IncomingHttpHeaders } from "node:http2";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { route } from "./support.ts";
import { startTlsEdge, type TlsEdge } from "./tls-edge.ts";
import { reflect, type Seen } from "./visitors.ts";

let tls: TlsEdge;
beforeAll(async () => {
	tls = await startTlsEdge();
	const { edge, issue } = tls;
	await edge.edge.replaceCertificates([await issue("*.apps.test"), await issue("example.org")]);
});
afterAll(() => tls?.edge.release());

test("gRPC passes with its messages and trailers, over connections of its own", async () => {
	const { edge, ask } = tls;
	const server = createHttp2Server().listen(0, "127.77.200.1");
	await once(server, "listening");
	let seen: IncomingHttpHeaders = {};
	server.on("stream", (stream, headers) => {
		seen = headers;
		const parts: Buffer[] = [];
		stream.on("data", (part: Buffer) => parts.push(part));
		stream.on("end", () => {
			const hostile = {
				"x-accel-redirect": "/_repldock/enter",
				"x-accel-limit-rate": "1",
				"set-cookie": "a=1; Domain=apps.test",
			};
			stream.respond({ ":status": 200, "content-type": "application/grpc", ...hostile }, { waitForTrailers: true });
			stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "grpc-message": "fine" }));
			stream.end(Buffer.concat(parts));
		});
	});
	const { port } = server.address() as AddressInfo;
	await edge.edge.replaceRoutes({
		revision: 3,
		routes: [route("rpc", { address: "127.77.200.1", ports: [port], mainPort: port })],
	});
	const message = Buffer.from([0, 0, 0, 0, 3, 1, 2, 3]);
	const call = {
		":method": "POST",
		":path": "/echo.Echo/Say",
		"content-type": "application/grpc+proto",
		te: "trailers",
	};
	for (let turn = 0; turn < 3; turn += 1) {
		const claims = { "x-forwarded-for": "6.6.6.6", "x-repldock-user-id": "1" };
		const answer = await ask("rpc.apps.test", { ...call, ...claims }, message);
		expect(answer.headers[":status"]).toBe(200);
		expect(answer.headers["set-cookie"]).toEqual(["a=1"]);
		expect(answer.trailers).toMatchObject({ "grpc-status": "0", "grpc-message": "fine" });
		expect(Buffer.from(answer.body)).toEqual(message);
	}
	expect(seen.te).toBe("trailers");
	expect(seen["x-repldock-user-id"]).toBeUndefined();
	expect(seen["x-forwarded-for"]).toBe("127.0.0.1");
	expect(seen["x-forwarded-proto"]).toBe("https");
	expect(seen[":authority"] ?? seen.host).toBe(`rpc.apps.test:${edge.httpsPort}`);
	server.close();
	await once(server, "close");
	// Clients take any status but 200 for "unavailable".
	expect((await ask("rpc.apps.test", call, message)).headers[":status"]).toBe(502);
});

test("an app that speaks HTTP/1.1 and gRPC on one port is not spoken to in the wrong one", async () => {
	const { edge, ask } = tls;
	const plain = createHttpServer((_, response) => response.end("plain"));
	const grpc = createHttp2Server();
	grpc.on("stream", (stream) => {
		stream.respond({ ":status": 200, "content-type": "application/grpc" });
		stream.end("grpc");
	});
	const server = createTcpServer((socket) => {
		socket.once("readable", () => {
			const first: Buffer = socket.read();
			socket.unshift(first);
			(first.toString("latin1").startsWith("PRI") ? grpc : plain).emit("connection", socket);
		});
	}).listen(0, "127.77.200.2");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	const both = route("both", { address: "127.77.200.2", ports: [port], mainPort: port });
	await edge.edge.replaceRoutes({ revision: 29, routes: [both] });
	for (let turn = 0; turn < 8; turn += 1) {
		expect((await ask("both.apps.test")).body).toBe("plain");
		const call = { ":method": "POST", "content-type": "application/grpc" };
		expect((await ask("both.apps.test", call, Buffer.alloc(5))).body).toBe("grpc");
	}
	server.close();
});

test("gRPC-Web and other uploads reach the app by HTTP/1.1, whole", async () => {
	const { edge, ask, app } = tls;
	await edge.edge.replaceRoutes({ revision: 30, routes: [await app("web")] });
	const call = { ":method": "POST", "content-type": "application/grpc-web+proto" };
	const answer = await ask("web.apps.test", call, Buffer.alloc(100_000));
	expect(answer.headers[":status"]).toBe(200);
	expect((JSON.parse(answer.body) as Seen).headers["content-type"]).toBe("application/grpc-web+proto");
});

test("WebSockets pass over TLS, at an app's own name and at a custom domain", async () => {
	const { edge, authority } = tls;
	const { address, port, server } = await edge.container(reflect);
	const sockets = new WebSocketServer({ server });
	sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
	await edge.edge.replaceRoutes({
		revision: 31,
		routes: [route("chat", { address, ports: [port], mainPort: port, domains: ["example.org"] })],
	});
	for (const host of ["chat.apps.test", "example.org"]) {
		const socket = new WebSocket(`wss://127.0.0.1:${edge.httpsPort}/`, {
			createConnection: () =>
				tlsConnect({ host: "127.0.0.1", port: edge.httpsPort, ca: authority.certificate, servername: host }),
			headers: { host: `${host}:${edge.httpsPort}` },
		});
		await once(socket, "open");
		socket.send("hello");
		expect(String((await once(socket, "message"))[0])).toBe("hello");
		socket.close();
		await once(socket, "close");
	}
	sockets.close();
});
