import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { route, startEdge, type TestEdge, until, workersOf } from "./support.ts";

/** Slug → visitor's port → what answers there; 0 is the main port. */
const apps: Record<string, Record<number, string>> = {
	shop: { 0: "shop main", 3000: "shop 3000", 2000: "shop 2000" },
	"shop-2": { 0: "shop-2 main" },
	"3000": { 0: "3000 main" },
	a: { 0: "a main" },
	evil: { 0: "evil main" },
};

let edge: TestEdge;
let workers: number[];

beforeAll(async () => {
	edge = await startEdge();
	const routes = [];
	for (const [slug, answers] of Object.entries(apps)) {
		const named = (name: string) => (_: unknown, response: import("node:http").ServerResponse) =>
			response.writeHead(200, { "x-app": name }).end();
		const main = await edge.container(named(answers[0] ?? ""));
		const ports = [];
		for (const [external, name] of Object.entries(answers)) {
			if (external === "0") continue;
			const server = createServer(named(name)).listen(0, main.address);
			await once(server, "listening");
			ports.push({ external: Number(external), local: (server.address() as AddressInfo).port });
		}
		// In a container's own table 22 would be left out; the edge does not rely on that.
		ports.push({ external: 22, local: main.port });
		routes.push(route(slug, { address: main.address, ports, mainPort: main.port }));
	}
	await edge.edge.replaceRoutes({ revision: 1, routes });
	// NGINX starts them one after the other.
	await until(async () => {
		workers = await workersOf(edge);
		return workers.length === 2;
	});
});

afterAll(() => edge?.release());

/** Which app answers to this Host header, by the documentation alone; null: none does. */
function expected(header: string): string | null {
	const value = header.replace(/^ +| +$/g, "");
	const name = /^([A-Za-z0-9._-]+)(?::[0-9]{1,5})?$/.exec(value)?.[1]?.toLowerCase().replace(/\.$/, "");
	if (name === undefined || name.includes("..")) return null;
	const label = /^([^.]+)\.apps\.test$/.exec(name)?.[1];
	if (label === undefined) return null;
	const [front, ...rest] = label.split("--");
	if (rest.length === 0) return apps[label]?.[0] ?? null;
	const slug = rest.join("--");
	const port = Number(front);
	if (!/^[1-9][0-9]*$/.test(front ?? "") || port > 65_535 || port === 22) return null;
	const answers = apps[slug];
	if (!answers) return null;
	return answers[port] ?? (port === 80 || port === 443 ? (answers[0] ?? null) : null);
}

/** Sends exactly these header lines; the name of the app that answered, else null, and the status. */
async function ask(...lines: string[]): Promise<{ app: string | null; status: number }> {
	const text = await edge.raw(["GET / HTTP/1.1", ...lines, "Connection: close", "", ""].join("\r\n"));
	return {
		app: /\r\nx-app: (.*)\r\n/.exec(text)?.[1] ?? null,
		status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0),
	};
}

test("each kind of host name is answered by its app, or by none with the status that says why", async () => {
	const table: [header: string, status: number][] = [
		["shop.apps.test", 200],
		["SHOP.Apps.TEST", 200],
		["shop.apps.test.", 200],
		["shop.apps.test:1", 200],
		["3000--shop.apps.test", 200],
		["2000--shop.apps.test", 200],
		["80--shop.apps.test", 200],
		["443--shop.apps.test", 200],
		["3000.apps.test", 200],
		["2001--shop.apps.test", 502],
		["65535--shop.apps.test", 502],
		["22--shop.apps.test", 403],
		["0--shop.apps.test", 404],
		["65536--shop.apps.test", 404],
		["99999--shop.apps.test", 404],
		["03000--shop.apps.test", 404],
		["3000--3000--shop.apps.test", 404],
		["3000--.apps.test", 404],
		["--shop.apps.test", 404],
		["-1--shop.apps.test", 404],
		["3000-shop.apps.test", 404],
		["shop.evil.com", 404],
		["shop.apps.test.evil.com", 404],
		["evil.com.apps.test", 404],
		["a.shop.apps.test", 404],
		["shopapps.test", 404],
		["apps.test", 404],
		[".apps.test", 404],
		["shop..apps.test", 400],
		["shop.apps.test..", 400],
		["127.77.0.1", 404],
		["[::1]", 503],
		["[::ffff:127.0.0.1]", 404],
		["agent", 404],
		["app", 404],
		["unix:/run/agent.sock", 400],
		["shop.apps.test:65536", 200],
		["shop.apps.test:99999999", 400],
		["shop.apps.test:3000:3000", 400],
		["shop.apps.test@evil.com", 400],
		["shop.apps.test/x", 400],
		["shop.apps.test, evil.apps.test", 400],
		["shöp.apps.test", 400],
		["ＳＨＯＰ.apps.test", 400],
		["shop\u200b.apps.test", 400],
		["shop%2eapps.test", 400],
		["", 400],
		["*.apps.test", 400],
		[`${"a".repeat(10_000)}.apps.test`, 404],
		[`${"a".repeat(20_000)}.apps.test`, 400],
	];
	for (const [header, status] of table) {
		const answer = await ask(`Host: ${header}`);
		expect([answer.status, answer.app], header.slice(0, 60)).toEqual([status, expected(header)]);
	}
});

test("a request without a host, with two, or in absolute form reaches nobody", async () => {
	expect(await ask("X: y")).toEqual({ app: null, status: 400 });
	expect(await ask("Host: shop.apps.test", "Host: evil.apps.test")).toEqual({ app: null, status: 400 });
	expect(await ask("Host: shop.apps.test", "Host: shop.apps.test")).toEqual({ app: null, status: 400 });
	expect(await ask("Host: shop.apps.test", " evil.apps.test")).toEqual({ app: null, status: 400 });
	expect(await ask("Host : shop.apps.test")).toEqual({ app: null, status: 400 });
	for (const target of [
		"http://shop.apps.test/",
		"http://evil.apps.test/",
		"//evil.apps.test",
		"shop.apps.test:80",
		"*",
	]) {
		const text = await edge.raw(`GET ${target} HTTP/1.1\r\nHost: a.apps.test\r\nConnection: close\r\n\r\n`);
		// `//evil.apps.test` is a path, and the host's own app gets it.
		expect(/x-app: (.*)\r\n/.exec(text)?.[1] ?? null, target).toBe(target.startsWith("//") ? "a main" : null);
	}
});

const label = fc.oneof(
	fc.constantFrom(...Object.keys(apps), "node", "www", "", "shop-", "sho", "shopp", "SHOP", "Shop-2"),
	fc.string({ minLength: 0, maxLength: 8, unit: fc.constantFrom(..."ahops23-.Ä:@\\/\t_%") }),
);
const front = fc.oneof(
	fc.constant(""),
	fc.constantFrom(
		"3000--",
		"2000--",
		"22--",
		"80--",
		"443--",
		"0--",
		"65536--",
		"--",
		"3000-",
		"3000---",
		"+80--",
		"8e1--",
	),
	fc.integer({ min: 0, max: 99_999 }).map((port) => `${port}--`),
);
const end = fc.oneof(
	fc.constantFrom(
		".apps.test",
		".APPS.test",
		".apps.test.",
		"apps.test",
		".test",
		".evil.com",
		".apps.test.evil.com",
		".apps.test..",
	),
	fc.string({ maxLength: 6, unit: fc.constantFrom(..."aps.te:\u00e9 ") }),
);
const portPart = fc.oneof(
	fc.constant(""),
	fc.integer({ min: -1, max: 100_000 }).map((port) => `:${port}`),
	fc.constantFrom(":", ":x", ":80:80"),
);
const built = fc
	.tuple(front, front, label, end, portPart)
	.map(([one, two, ...rest]) => [one, two === one ? "" : two, ...rest].join(""));
/** Any text that stays on one header line. */
const anything = fc.string({ maxLength: 60, unit: "binary" }).filter((text) => !/[\r\n\0]/.test(text));

test("whatever the Host header, the app that answers is the one it names, or none", async () => {
	await fc.assert(
		fc.asyncProperty(fc.oneof({ weight: 6, arbitrary: built }, { weight: 1, arbitrary: anything }), async (header) => {
			expect((await ask(`Host: ${header}`)).app).toBe(expected(header));
		}),
		{ numRuns: 1500 },
	);
	expect(await workersOf(edge)).toEqual(workers);
}, 120_000);
