import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import { route, startEdge, type TestEdge } from "./support.ts";
import { reflect, type Seen } from "./visitors.ts";

let edge: TestEdge;
let slugAddress: string;
let slugPort: number;

beforeAll(async () => {
	edge = await startEdge();
	for (const name of ["site", "agent", "holder"] as const) {
		const server = await edge.service(name, (incoming, response) => response.end(`${name} ${incoming.url}`));
		echoSockets(server, name);
	}
	const main = await edge.container(reflect);
	echoSockets(main.server, "app");
	slugAddress = main.address;
	slugPort = main.port;
	const second = await edge.container((_, response) => response.end("second"));
	const ports = [main.port];
	await edge.edge.replaceRoutes({
		revision: 1,
		routes: [
			route("shop", { address: main.address, ports, mainPort: main.port }),
			route("other", { address: second.address, ports: [second.port], mainPort: second.port }),
		],
	});
});

afterAll(() => edge?.release());

function echoSockets(server: import("node:http").Server, name: string) {
	const sockets = new WebSocketServer({ server });
	sockets.on("connection", (socket) => socket.on("message", (data: RawData) => socket.send(`${name}: ${data}`)));
}

async function echo(host: string, path: string): Promise<string> {
	const socket = new WebSocket(`ws://127.0.0.1:${edge.port}${path}`, { headers: { host: `${host}:${edge.port}` } });
	await once(socket, "open");
	socket.send("hello");
	const [data] = (await once(socket, "message")) as [RawData];
	socket.close();
	await once(socket, "close");
	return data.toString();
}

test("the site's host, also as an address, reaches the site", async () => {
	for (const host of ["localhost", "127.0.0.1", "[::1]"]) {
		const answer = await edge.visit(host, { path: "/projects?page=2" });
		expect(answer.body, host).toBe("site /projects?page=2");
	}
});

test("the node's host reaches the agent, and the holder for the sockets of PTYs", async () => {
	expect((await edge.visit("node.apps.test", { path: "/projects/1/files" })).body).toBe("agent /projects/1/files");
	expect((await edge.visit("node.apps.test", { path: "/projects/1/ptys" })).body).toBe("agent /projects/1/ptys");
	const closing = { method: "DELETE", path: "/projects/1/ptys/terminal-1" };
	expect((await edge.visit("node.apps.test", closing)).body).toBe("agent /projects/1/ptys/terminal-1");
	expect(await echo("node.apps.test", "/projects/1/ptys/terminal-1")).toBe("holder: hello");
});

test("what the edge asks the agent cannot be asked from outside, however it is spelled", async () => {
	for (const path of [
		"/edge/authorize",
		"/%65dge/authorize",
		"//edge/enter",
		"/x/../edge/enter",
		"/edge%2fenter",
		"/\\edge\\enter",
	]) {
		expect((await edge.visit("node.apps.test", { path })).status, path).toBe(404);
	}
	expect((await edge.visit("shop.apps.test", { path: "/_repldock/agent/authorize" })).status).toBe(404);
});

test("an app's host reaches its main port, with a port in front that port", async () => {
	const seen = JSON.parse((await edge.visit("shop.apps.test")).body) as Seen;
	expect(seen.headers.host).toBe(`shop.apps.test:${edge.port}`);
	expect((await edge.visit(`${slugPort}--shop.apps.test`)).status).toBe(200);
	expect((await edge.visit("OTHER.apps.test")).body).toBe("second");
});

test("WebSockets pass to the site, the agent, the holder and apps", async () => {
	expect(await echo("localhost", "/api/node/control")).toBe("site: hello");
	expect(await echo("node.apps.test", "/projects/1/events")).toBe("agent: hello");
	expect(await echo("node.apps.test", "/projects/1/ptys/console")).toBe("holder: hello");
	expect(await echo("shop.apps.test", "/live")).toBe("app: hello");
});

test("paths reach the app as they were written", async () => {
	for (const path of ["//a//b/", "/a%2Fb%2f%20", "/a/./b/../c", "/caf%C3%A9?q=%2F&r=a+b", "/?", "/;x=1/[y]"]) {
		const seen = JSON.parse((await edge.visit("shop.apps.test", { path })).body) as Seen;
		expect(seen.url).toBe(path);
	}
});

test("a change of routes is seen by the next request, also on an open connection", async () => {
	const changed = await edge.container((_, response) => response.end("changed"));
	await edge.edge.changeRoutes({
		revision: 2,
		set: [route("other", { address: changed.address, ports: [changed.port], mainPort: changed.port })],
		removed: [],
	});
	expect((await edge.visit("other.apps.test")).body).toBe("changed");
	await edge.edge.changeRoutes({ revision: 3, set: [], removed: ["other"] });
	expect((await edge.visit("other.apps.test")).status).toBe(404);
	expect((await edge.visit("shop.apps.test")).status).toBe(200);
	expect(slugAddress).toMatch(/^127\.77\./);
});

test("malformed requests are refused and never reach an app", async () => {
	const refused = [
		"GET http://shop.apps.test/ HTTP/1.1\r\nHost: shop.apps.test\r\nConnection: close\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: shop.apps.test\r\nHost: other.apps.test\r\nConnection: close\r\n\r\n",
		"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
		"GET / HTTP/1.0\r\n\r\n",
		'GET / HTTP/1.1\r\nHost: shop.apps.test:80";by=x\r\nConnection: close\r\n\r\n',
		"GET / HTTP/1.1\r\nHost: shop.apps.test:99999999\r\nConnection: close\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: shop.apps.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
		"GET /%zz HTTP/1.1\r\nHost: shop.apps.test\r\nConnection: close\r\n\r\n",
	];
	for (const text of refused) {
		expect((await edge.raw(text)).split("\r\n")[0], text).toBe("HTTP/1.1 400 Bad Request");
	}
});
