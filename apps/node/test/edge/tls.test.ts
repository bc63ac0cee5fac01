import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import {
	createServer as createHttp2Server,
	connect as http2Connect,
	type IncomingHttpHeaders,
	type IncomingHttpStatusHeader,
} from "node:http2";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { type KeyPairPem, makeAuthority, makeSelfSigned, signLeaf } from "../../src/certificates/make.ts";
import { readCertificate } from "../../src/certificates/read.ts";
import { readEdgeLog } from "../../src/host/edge-process.ts";
import { reflect, route, type Seen, startEdge, type TestEdge, until } from "./support.ts";

let edge: TestEdge;
let authority: KeyPairPem;

beforeAll(async () => {
	authority = await makeAuthority("Test authority");
	edge = await startEdge("apps.test", {
		tls: {
			fallback: await makeSelfSigned("fallback.invalid"),
			redirect: true,
			hstsSeconds: 3600,
		},
	});
	await edge.service("site", reflect);
	await edge.service("agent", (incoming, response) => {
		if (!incoming.url?.startsWith("/edge/")) return reflect(incoming, response);
		response.writeHead(incoming.headers["x-repldock-access"] === "right" ? 204 : 403).end();
	});
});

afterAll(() => edge?.release());

const issue = async (...names: string[]) => readCertificate(await signLeaf(authority, names));

interface Handshake {
	names: string;
	trusted: boolean;
}

/** Shakes hands and tells whose certificate was shown. */
function handshake(servername: string | undefined): Promise<Handshake> {
	return new Promise((resolve, reject) => {
		const socket = tlsConnect(
			{
				host: "127.0.0.1",
				port: edge.httpsPort,
				ca: authority.certificate,
				rejectUnauthorized: false,
				...(servername === undefined ? {} : { servername }),
			},
			() => {
				resolve({ names: socket.getPeerCertificate().subjectaltname ?? "", trusted: socket.authorized });
				socket.destroy();
			},
		);
		socket.on("error", reject);
	});
}

interface Http2Answer {
	headers: IncomingHttpHeaders & IncomingHttpStatusHeader;
	trailers: IncomingHttpHeaders;
	body: string;
}

/** One request by HTTP/2 over TLS, over a connection of its own. */
async function ask(
	host: string,
	headers: Record<string, string> = {},
	body?: Buffer,
	authorityName = `${host}:${edge.httpsPort}`,
): Promise<Http2Answer> {
	const session = http2Connect(`https://127.0.0.1:${edge.httpsPort}`, {
		ca: authority.certificate,
		servername: host,
	});
	try {
		const stream = session.request({ ":authority": authorityName, ...headers }, { endStream: body === undefined });
		if (body) stream.end(body);
		let answered: Http2Answer["headers"] = {};
		let trailers: IncomingHttpHeaders = {};
		stream.on("response", (value) => {
			answered = value;
		});
		stream.on("trailers", (value) => {
			trailers = value;
		});
		const chunks: Buffer[] = [];
		for await (const chunk of stream) chunks.push(chunk as Buffer);
		return { headers: answered, trailers, body: Buffer.concat(chunks).toString() };
	} finally {
		session.destroy();
	}
}

async function app(slug: string, domains: string[] = [], visibility: "public" | "private" = "public") {
	const { address, port } = await edge.container(reflect);
	return route(slug, { address, ports: [port], mainPort: port, domains, visibility });
}

test("a handshake waits for the first certificates instead of failing", async () => {
	const waiting = handshake("localhost");
	await edge.edge.replaceCertificates([await issue("localhost")]);
	expect((await waiting).names).toBe("DNS:localhost");
});

test("the exact name goes before the wildcard, any case, and a change needs no reload", async () => {
	const wildcard = await issue("*.apps.test");
	await edge.edge.replaceCertificates([wildcard, await issue("localhost")]);
	expect((await handshake("shop.apps.test")).names).toBe("DNS:*.apps.test");
	await edge.edge.replaceCertificates([wildcard, await issue("shop.apps.test"), await issue("localhost")]);
	expect((await handshake("shop.apps.test")).names).toBe("DNS:shop.apps.test");
	expect((await handshake("SHOP.Apps.test")).names).toBe("DNS:shop.apps.test");
	expect((await handshake("other.apps.test")).names).toBe("DNS:*.apps.test");
	expect((await handshake("other.apps.test")).trusted).toBe(true);
});

test("a name that no certificate is for gets no handshake, and the log stays empty", async () => {
	for (const name of ["stranger.example", "a.b.apps.test", "apps.test", "name", "id"]) {
		await expect(handshake(name), name).rejects.toThrow();
	}
	// Who names no host, as old programs and those that dial an address, meets the site's certificate.
	expect((await handshake(undefined)).names).toBe("DNS:localhost");
	expect(await readEdgeLog(edge.dataDirectory)).toBe("");
});

test("a certificate that cannot be read is refused whole", async () => {
	const good = await issue("localhost");
	for (const bad of [
		{ ...good, certificate: "no" },
		{ ...good, id: "fresh", key: "no" },
		{ ...good, id: "a/b" },
		{ ...good, id: "fresh", names: ["a b"] },
	]) {
		const sent = bad.id === good.id ? { ...bad, id: "fresh" } : bad;
		await expect(edge.edge.replaceCertificates([sent])).rejects.toMatchObject({ code: "internal" });
	}
	expect((await handshake("localhost")).trusted).toBe(true);
	await edge.edge.replaceCertificates([good, await issue("*.apps.test"), await issue("example.org")]);
});

test("after a restart of NGINX the certificates come back by themselves, and no handshake is refused", async () => {
	const ending = new AbortController();
	const watching = edge.edge.watch(ending.signal);
	await edge.stop();
	await edge.start();
	expect((await handshake("shop.apps.test")).names).toBe("DNS:*.apps.test");
	ending.abort();
	await watching;
});

test("visitors by HTTP/2 reach apps, site and node, and are told apart from plain ones", async () => {
	await edge.edge.replaceRoutes({ revision: 1, routes: [await app("shop", ["example.org"])] });
	await edge.edge.replaceCertificates([
		await issue("localhost"),
		await issue("*.apps.test"),
		await issue("example.org"),
	]);
	for (const host of ["shop.apps.test", "localhost", "node.apps.test", "example.org"]) {
		const answer = await ask(host, {
			"x-forwarded-proto": "gopher",
			"x-repldock-user-id": "1",
			forwarded: "for=6.6.6.6",
		});
		expect(answer.headers[":status"], host).toBe(200);
		const seen = JSON.parse(answer.body) as Seen;
		expect(seen.headers["x-forwarded-proto"]).toBe("https");
		expect(seen.headers.host).toBe(`${host}:${edge.httpsPort}`);
		expect(seen.headers.forwarded).toBe(`for=127.0.0.1;host="${host}:${edge.httpsPort}";proto=https`);
		expect(seen.names).not.toContain("x-repldock-user-id");
	}
});

test("a host in a request that the connection was not opened for is still this host's", async () => {
	// Browsers share one connection among the names of a wildcard certificate.
	const answer = await ask("shop.apps.test", {}, undefined, `nobody.apps.test:${edge.httpsPort}`);
	expect(answer.headers[":status"]).toBe(404);
});

test("private apps are private by HTTP/2 too, and let in whom the agent lets in", async () => {
	await edge.edge.replaceRoutes({ revision: 2, routes: [await app("diary", [], "private")] });
	expect((await ask("diary.apps.test")).headers[":status"]).toBe(401);
	expect((await ask("diary.apps.test", { cookie: "repldock_access=wrong" })).headers[":status"]).toBe(403);
	expect((await ask("diary.apps.test", { cookie: "repldock_access=right" })).headers[":status"]).toBe(200);
	const entered = await ask("diary.apps.test", { ":path": "/_repldock/enter?token=right&to=/a" });
	expect(entered.headers[":status"]).toBe(302);
	expect(entered.headers["set-cookie"]).toHaveLength(2);
	for (const cookie of entered.headers["set-cookie"] ?? []) expect(cookie).toMatch(/; Secure/);
});

test("gRPC passes with its messages and trailers, over connections of its own", async () => {
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
	await edge.edge.replaceRoutes({ revision: 30, routes: [await app("web")] });
	const call = { ":method": "POST", "content-type": "application/grpc-web+proto" };
	const answer = await ask("web.apps.test", call, Buffer.alloc(100_000));
	expect(answer.headers[":status"]).toBe(200);
	expect((JSON.parse(answer.body) as Seen).headers["content-type"]).toBe("application/grpc-web+proto");
});

test("WebSockets pass over TLS, at an app's own name and at a custom domain", async () => {
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

test("the plain port sends visitors to TLS where a certificate is for their host, and not elsewhere", async () => {
	await edge.edge.replaceRoutes({ revision: 4, routes: [await app("shop", ["example.org", "fresh.example"])] });
	const answer = await edge.visit("shop.apps.test", { path: "/a?b=%20c", method: "POST" });
	expect([answer.status, answer.headers.location]).toEqual([308, `https://shop.apps.test:${edge.httpsPort}/a?b=%20c`]);
	for (const host of ["localhost", "node.apps.test", "example.org"]) {
		expect((await edge.visit(host)).headers.location, host).toBe(`https://${host}:${edge.httpsPort}/`);
	}
	expect((await edge.visit("fresh.example")).status).toBe(200);
	expect((await edge.visit("stranger.example")).status).toBe(404);
});

test("HSTS is said by TLS alone, and an app's own word stands", async () => {
	const own = await edge.container((_, response) => {
		response.setHeader("strict-transport-security", "max-age=5");
		response.end();
	});
	await edge.edge.replaceRoutes({
		revision: 5,
		routes: [await app("shop"), route("own", { address: own.address, ports: [own.port], mainPort: own.port })],
	});
	const said = async (host: string) => (await ask(host)).headers["strict-transport-security"];
	expect(await said("shop.apps.test")).toBe("max-age=3600");
	expect(await said("localhost")).toBe("max-age=3600");
	expect(await said("nobody.apps.test")).toBe("max-age=3600");
	expect(await said("own.apps.test")).toBe("max-age=5");
	expect((await edge.visit("shop.apps.test")).headers["strict-transport-security"]).toBeUndefined();
});

test("published challenges are answered on every host without a redirect; other tokens are the app's", async () => {
	const path = "/.well-known/acme-challenge/token_1-x";
	await edge.edge.replaceRoutes({ revision: 6, routes: [await app("shop", ["fresh.example"])] });
	await edge.edge.replaceChallenges([{ token: "token_1-x", answer: "token_1-x.thumb" }]);
	for (const host of ["shop.apps.test", "fresh.example", "localhost", "node.apps.test", "stranger.example"]) {
		const answer = await edge.visit(host, { path });
		expect([answer.status, answer.body], host).toEqual([200, "token_1-x.thumb"]);
	}
	const others = await edge.visit("fresh.example", { path: `${path}y` });
	expect((JSON.parse(others.body) as Seen).url).toBe(`${path}y`);
	await edge.edge.replaceChallenges([{ token: "another", answer: "another.thumb" }]);
	expect((JSON.parse((await edge.visit("fresh.example", { path })).body) as Seen).url).toBe(path);
	await edge.edge.replaceChallenges([]);
	expect((JSON.parse((await edge.visit("fresh.example", { path })).body) as Seen).url).toBe(path);
});

test("a custom domain shows its project alone: any case, with a last dot, and nothing that only looks like it", async () => {
	const [one, two] = [await app("one", ["shop.example", "xn--bcher-kva.example"]), await app("two")];
	await edge.edge.replaceRoutes({ revision: 10, routes: [one, two] });
	for (const host of ["shop.example", "SHOP.Example", "shop.example.", "xn--bcher-kva.example"]) {
		expect((await edge.visit(host)).status, host).toBe(200);
	}
	for (const host of [
		"www.shop.example",
		"hop.example",
		"shop.example.org",
		"shop",
		"one",
		"one.example",
		"shop.example.apps.test",
	]) {
		expect((await edge.visit(host)).status, host).toBe(404);
	}
	// It moves to another project, in either order of the two.
	await edge.edge.changeRoutes({
		revision: 11,
		set: [
			{ ...two, domains: ["shop.example"] },
			{ ...one, domains: [] },
		],
		removed: [],
	});
	expect((await edge.visit("shop.example")).status).toBe(200);
	await edge.edge.changeRoutes({ revision: 12, set: [{ ...two, domains: [] }], removed: [] });
	expect((await edge.visit("shop.example")).status).toBe(404);
	await edge.edge.changeRoutes({ revision: 13, set: [one], removed: [] });
	await edge.edge.changeRoutes({ revision: 14, set: [], removed: ["one"] });
	await until(async () => (await edge.visit("shop.example")).status === 404);
});
