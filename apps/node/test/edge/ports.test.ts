import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeAuthority, makeSelfSigned, signLeaf } from "../../src/certificates/make.ts";
import { readCertificate } from "../../src/certificates/read.ts";
import { type AppsAddressOptions, chooseListenPort } from "../../src/host/apps-address.ts";
import type { EdgeOptions } from "../../src/host/edge-process.ts";
import { type Cable, layCable } from "./cable.ts";
import { route, startEdge, type TestEdge, until } from "./support.ts";

/** Servers at addresses of the machine's namespace; each answers with its name and what it was asked for. */
const servers = `
import { createServer } from "node:http";
import { createSocket } from "node:dgram";
import { WebSocketServer } from "ws";
for (const [name, address, port] of values.http) {
	const server = createServer((asked, answer) => answer.end(name + " " + asked.headers.host)).listen(port, address);
	new WebSocketServer({ server }).on("connection", (socket) => socket.on("message", (data) => socket.send(name + " " + data)));
	await new Promise((resolve) => server.once("listening", resolve));
}
for (const [name, port] of values.udp) {
	const socket = createSocket("udp4");
	socket.on("message", (_, { address, port: from }) => socket.send(name, from, address));
	await new Promise((resolve) => socket.bind(port, resolve));
}
console.log("ready");`;

const shop = "127.77.200.1";
const other = "127.77.200.2";
const httpPort = 8080;
const httpsPort = 8443;

let cable: Cable;
let first: TestEdge;
let second: TestEdge;

const modules = ["src/host/apps-address.ts", "../../packages/service/src/index.ts"].map((path) =>
	fileURLToPath(new URL(`../../${path}`, import.meta.url)),
);

/** Calls a function of these modules on the machine. */
async function onMachine(call: string, ...values: unknown[]): Promise<string> {
	const script = `const [apps, service] = await Promise.all(${JSON.stringify(modules)}.map((path) => import(path)));
		const result = await { ...apps, ...service }.${call}(...${JSON.stringify(values)});
		console.log(JSON.stringify(result ?? null));`;
	return (await cable.run(process.execPath, ["--input-type=module", "--eval", script])).trim();
}

const firstRules = () =>
	({ address: cable.apps, table: "rda_first", listenPort: 20_100, httpPort, httpsPort }) satisfies AppsAddressOptions;
const secondRules = () =>
	({
		address: cable.otherApps,
		table: "rda_second",
		listenPort: 20_200,
		httpPort: httpPort + 1,
	}) satisfies AppsAddressOptions;

beforeAll(async () => {
	cable = await layCable();
	await cable.serve(servers, {
		http: [
			...[80, 2001, 3000, 5000, 65_535].map((port) => [`shop:${port}`, shop, port]),
			["other:3000", other, 3000],
			["machine:22", "0.0.0.0", 22],
			["machine:2000", "0.0.0.0", 2000],
			["machine:3500", "0.0.0.0", 3500],
		],
		udp: [["machine", 5353]],
	});
	const start = (options: Partial<EdgeOptions>) => startEdge("apps.test", { namespace: cable.machine, options });
	const fallback = await makeSelfSigned("fallback.invalid");
	first = await start({
		httpPort,
		appsListenPort: firstRules().listenPort,
		tls: { httpsPort, fallback, redirect: false, hstsSeconds: 0 },
	});
	second = await start({ httpPort: httpPort + 1, appsListenPort: secondRules().listenPort });
	const authority = await makeAuthority("Test authority");
	await first.edge.replaceCertificates([await readCertificate(await signLeaf(authority, ["*.apps.test"]))]);
	await first.service("site", (_, response) => response.end("site"));
	const mapped = { external: 4000, local: 5000 };
	await first.edge.replaceRoutes({
		revision: 1,
		routes: [
			route("shop", { address: shop, ports: [mapped, 5000, 80, 2001, 3000, 65_535, 22], mainPort: 5000 }),
			route("other", { address: other, ports: [3000], mainPort: 3000 }),
		],
	});
	await second.edge.replaceRoutes({
		revision: 1,
		routes: [route("shop", { address: other, ports: [3000], mainPort: 3000 })],
	});
	await onMachine("ensureAppsAddress", firstRules());
	await onMachine("ensureAppsAddress", secondRules());
});

afterAll(async () => {
	await first?.release();
	await second?.release();
	await cable?.release();
});

const visit = (port: number, host = `shop.apps.test:${port}`, address = cable.apps) =>
	cable.send({ kind: "http", address, port, host });

test("a visitor's port is the container's, 80 and the edge's own mean the main port", async () => {
	for (const port of [2001, 3000, 5000, 65_535]) {
		expect(await visit(port)).toEqual({ status: 200, body: `shop:${port} shop.apps.test:${port}` });
	}
	expect(await visit(80, "shop.apps.test")).toMatchObject({ body: "shop:5000 shop.apps.test" });
	expect(await visit(httpPort)).toMatchObject({ body: `shop:5000 shop.apps.test:${httpPort}` });
	expect(await visit(3000, "other.apps.test:3000")).toMatchObject({ body: "other:3000 other.apps.test:3000" });
});

test("a port that .replit maps is reached by the number it has there, at the address and by name", async () => {
	expect(await visit(4000)).toMatchObject({ body: "shop:5000 shop.apps.test:4000" });
	expect(await visit(80, "4000--shop.apps.test")).toMatchObject({ body: "shop:5000 4000--shop.apps.test" });
	expect(await visit(httpPort, "2001--shop.apps.test")).toMatchObject({ body: "shop:2001 2001--shop.apps.test" });
});

test("a name that says a port is believed more than the port of the connection", async () => {
	expect(await visit(3000, "2001--shop.apps.test:3000")).toMatchObject({ body: "shop:2001 2001--shop.apps.test:3000" });
	expect(await visit(3000, "shop.apps.test:2001")).toMatchObject({ body: "shop:3000 shop.apps.test:2001" });
});

test("443 and the edge's own port for TLS mean the main port", async () => {
	for (const port of [443, httpsPort]) {
		expect(await cable.send({ kind: "https", address: cable.apps, port, host: "shop.apps.test" })).toMatchObject({
			body: "shop:5000 shop.apps.test",
		});
	}
});

test("22, 443 without TLS and every other port below 2001 are refused at once, whoever listens there", async () => {
	for (const port of [1, 22, 25, 79, 81, 1024, 2000]) {
		expect(await visit(port), String(port)).toEqual({ error: "ECONNREFUSED" });
	}
	expect(await visit(443, "shop.apps.test", cable.otherApps)).toEqual({ error: "ECONNREFUSED" });
});

test("UDP is refused at once", async () => {
	for (const port of [53, 80, 3000, 5353, 65_535]) {
		expect(await cable.send({ kind: "udp", address: cable.apps, port }), String(port)).toEqual({
			error: "ECONNREFUSED",
		});
	}
});

test("a closed port gets a page that says which are open, with links that this visitor can follow", async () => {
	const { status, body = "" } = await visit(7777);
	expect(status).toBe(502);
	expect(body).toContain("<h1>Nothing listens on port 7777</h1>");
	for (const link of ["//shop.apps.test:3000/", "//shop.apps.test:4000/", `//80--shop.apps.test:${httpPort}/`])
		expect(body).toContain(`href="${link}"`);
	const forbidden = await visit(80, "22--shop.apps.test");
	expect(forbidden.status).toBe(403);
	expect(forbidden.body).toContain("Port 22 is never open");
});

test("WebSockets pass over a real port", async () => {
	const errand = { kind: "socket", address: cable.apps, port: 3000, host: "shop.apps.test:3000" } as const;
	expect(await cable.send(errand)).toEqual({ body: "shop:3000 hello" });
});

test("site and node answer at the ports of the schemes and the edge's own alone", async () => {
	expect(await visit(80, "localhost")).toEqual({ status: 200, body: "site" });
	expect(await visit(httpPort, `localhost:${httpPort}`)).toEqual({ status: 200, body: "site" });
	for (const host of ["localhost:3000", "node.apps.test:3000"])
		expect((await visit(3000, host)).status, host).toBe(421);
	expect((await visit(3000, "elsewhere.example:3000")).status).toBe(404);
});

test("the machine's other address stays as it was, and the transparent socket has no number of its own there", async () => {
	for (const port of [22, 2000, 3500]) {
		expect(await visit(port, "x", cable.own)).toEqual({ status: 200, body: `machine:${port} x` });
	}
	expect(await cable.send({ kind: "udp", address: cable.own, port: 5353 })).toEqual({ body: "machine" });
	expect(await visit(3000, undefined, cable.own)).toEqual({ error: "ECONNREFUSED" });
	expect(await visit(firstRules().listenPort, undefined, cable.own)).toEqual({ error: "ECONNREFUSED" });
	expect(await visit(firstRules().listenPort)).toMatchObject({ status: 502 });
});

test("what the machine asks of others from the apps' address, and what it sends to itself, is its own", async () => {
	const outgoing = `import { connect } from "node:net";
		const socket = connect({ host: ${JSON.stringify(cable.visitor)}, port: 9, localAddress: ${JSON.stringify(cable.apps)}, localPort: 40001 });
		socket.on("error", (error) => console.log(error.code)).on("data", (data) => console.log(String(data)));`;
	expect((await cable.run(process.execPath, ["--input-type=module", "--eval", outgoing])).trim()).toBe("answered");
	const inside = `const answer = await fetch("http://${cable.apps}:3500/"); console.log(await answer.text());`;
	expect(await cable.run(process.execPath, ["--input-type=module", "--eval", inside])).toContain("machine:3500");
});

test("two instances on one machine have their own addresses; one goes, the other stays", async () => {
	expect(await visit(3000, "shop.apps.test:3000", cable.otherApps)).toMatchObject({
		body: "other:3000 shop.apps.test:3000",
	});
	await onMachine("releaseAppsAddress", secondRules().table);
	await onMachine("releaseAppsAddress", secondRules().table);
	expect(await visit(22, "x", cable.otherApps)).toMatchObject({ body: "machine:22 x" });
	expect(await visit(3000)).toMatchObject({ status: 200 });
	expect(await cable.run("nft", ["list", "tables"])).toBe("table ip rda_first\n");
	await onMachine("ensureAppsAddress", secondRules());
	await onMachine("ensureAppsAddress", secondRules());
	expect(await visit(3000, "shop.apps.test:3000", cable.otherApps)).toMatchObject({ status: 200 });
});

test("an address that is the machine's own keeps the ports on which the machine listens", async () => {
	const rules = { ...secondRules(), address: cable.own };
	expect(await onMachine("isWayOut", cable.own)).toBe("true");
	expect(await onMachine("isWayOut", cable.apps)).toBe("false");
	await onMachine("ensureAppsAddress", rules);
	for (const port of [22, 2000, 3500])
		expect(await visit(port, "x", cable.own)).toMatchObject({ body: `machine:${port} x` });
	expect(await cable.send({ kind: "udp", address: cable.own, port: 5353 })).toEqual({ body: "machine" });
	expect(await visit(3000, "shop.apps.test:3000", cable.own)).toMatchObject({ body: "other:3000 shop.apps.test:3000" });
	expect(await visit(81, "x", cable.own)).toEqual({ error: "ECONNREFUSED" });
	await onMachine("ensureAppsAddress", secondRules());
});

test("a machine that knows no way out keeps its ports too", async () => {
	await cable.run("ip", ["route", "delete", "default"]);
	expect(await onMachine("isWayOut", cable.apps)).toBe("true");
	await cable.run("ip", ["route", "add", "default", "via", cable.visitor]);
	expect(await onMachine("isWayOut", cable.apps)).toBe("false");
});

test("the ports survive a reload and a restart of NGINX, whose workers have no rights", async () => {
	const pid = (await readFile(join(first.dataDirectory, "edge/nginx.pid"), "utf8")).trim();
	const workers = async () => (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ");
	const before = await workers();
	for (const worker of before) expect(await readFile(`/proc/${worker}/status`, "utf8")).toMatch(/^CapEff:\s0+$/m);
	process.kill(Number(pid), "SIGHUP");
	await until(async () => (await workers()).every((worker) => !before.includes(worker)));
	expect(await visit(3000)).toMatchObject({ status: 200 });
	await first.stop();
	await first.start();
	const watching = new AbortController();
	const watched = first.edge.watch(watching.signal);
	await until(async () => (await visit(3000)).status === 200);
	watching.abort();
	await watched;
});

test("the transparent port is remembered, moves away from another program's, and stays where the edge runs", async () => {
	const file = join(first.dataDirectory, "apps-listen-port");
	const port = await chooseListenPort(file, "ffffffff", false);
	expect(await chooseListenPort(file, "00000000", false)).toBe(port);
	const taken = createServer().listen(port, "0.0.0.0");
	await once(taken, "listening");
	expect(await chooseListenPort(file, "ffffffff", true)).toBe(port);
	expect(await chooseListenPort(file, "ffffffff", false)).not.toBe(port);
	taken.close();
});
