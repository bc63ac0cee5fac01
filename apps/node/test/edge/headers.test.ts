import { request } from "node:http";
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { route, startEdge, type TestEdge } from "./support.ts";
import { readAll, reflect, type Seen } from "./visitors.ts";

let edge: TestEdge;

beforeAll(async () => {
	edge = await startEdge();
	const app = await edge.container((incoming, response) => {
		if (incoming.url === "/steer") {
			response.setHeader("x-accel-redirect", "/_repldock/agent/authorize");
			response.setHeader("x-accel-buffering", "yes");
			return response.end("not steered");
		}
		if (incoming.url === "/cookies") {
			response.setHeader("set-cookie", [
				"a=1; Domain=apps.test; Path=/",
				"b=2; path=/; DOMAIN = .apps.test",
				"domain=kept; Secure",
				"c=3;domain;HttpOnly",
			]);
			return response.end();
		}
		reflect(incoming, response);
	});
	for (const name of ["site", "agent"] as const) await edge.service(name, reflect);
	await edge.edge.replaceRoutes({
		revision: 1,
		routes: [route("shop", { address: app.address, ports: [app.port], mainPort: app.port })],
	});
});

afterAll(() => edge?.release());

const spoofed = {
	"x-forwarded-for": "6.6.6.6",
	"x-forwarded-proto": "https",
	"x-forwarded-host": "bank.example",
	"X-Forwarded-Port": "1",
	"X-FORWARDED-Prefix": "/x",
	forwarded: "for=6.6.6.6",
	"x-real-ip": "6.6.6.6",
	"X-Replit-User-Id": "1",
	"x-replit-user-name": "root",
	"X-Repldock-Project": "1",
	"x-repldock-access": "1",
	proxy: "http://6.6.6.6",
	te: "trailers",
};

async function reached(host: string, headers: Record<string, string | string[]>): Promise<Seen> {
	return JSON.parse((await edge.visit(host, { headers })).body) as Seen;
}

test("the edge says who visits; what a visitor claims about it is removed, for apps, site and node", async () => {
	for (const host of ["shop.apps.test", "localhost", "node.apps.test"]) {
		const seen = await reached(host, spoofed);
		expect(seen.headers["x-forwarded-for"]).toBe("127.0.0.1");
		expect(seen.headers["x-forwarded-proto"]).toBe("http");
		expect(seen.headers["x-forwarded-host"]).toBe(`${host}:${edge.port}`);
		expect(seen.headers["x-real-ip"]).toBe("127.0.0.1");
		expect(seen.headers.forwarded).toBe(`for=127.0.0.1;host="${host}:${edge.port}";proto=http`);
		expect(seen.headers["x-forwarded-port"]).toBe(String(edge.port));
		const rest = seen.names.filter((name) => /^(x-forwarded-prefix|x-repl|proxy|te$)/.test(name));
		expect(rest, host).toEqual([]);
	}
});

test("an IPv6 visitor is named in the form that each header demands", async () => {
	const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
	const hasIpv6 = addresses.some(({ address }) => address === "::1");
	const seen = await new Promise<Seen>((resolve, reject) => {
		const outgoing = request({
			host: hasIpv6 ? "::1" : "127.0.0.1",
			port: edge.port,
			headers: { host: "shop.apps.test" },
		});
		outgoing.on("error", reject);
		outgoing.on("response", (response) => readAll(response).then((body) => resolve(JSON.parse(body) as Seen), reject));
		outgoing.end();
	});
	expect(seen.headers["x-forwarded-for"]).toBe(hasIpv6 ? "::1" : "127.0.0.1");
	expect(seen.headers.forwarded).toBe(`for=${hasIpv6 ? '"[::1]"' : "127.0.0.1"};host="shop.apps.test";proto=http`);
});

test("claims are removed when they are first, repeated, or behind hundreds of others", async () => {
	const first = await edge.raw(
		"GET / HTTP/1.1\r\nX-Replit-User-Name: root\r\nX-Replit-User-Name: root\r\nHost: shop.apps.test\r\nConnection: close\r\n\r\n",
	);
	expect(first.toLowerCase()).not.toContain("x-replit-user-name");
	const many = Array.from({ length: 300 }, (_, index) => `a${index}: 1\r\n`).join("");
	const behind = await edge.raw(
		`GET / HTTP/1.1\r\nHost: shop.apps.test\r\n${many}X-Replit-User-Id: 1\r\nConnection: close\r\n\r\n`,
	);
	expect(behind).toContain("a299");
	expect(behind.toLowerCase()).not.toContain("x-replit-user-id");
});

test("headers with underscores, which CGI programs would mistake for claims, are dropped", async () => {
	const seen = await reached("shop.apps.test", { x_replit_user_name: "root", x_forwarded_for: "6.6.6.6" });
	expect(seen.names.filter((name) => name.includes("_"))).toEqual([]);
});

test("headers named in Connection end at the edge, but not those that frame or address the message", async () => {
	const seen = await reached("shop.apps.test", { connection: "close, x-hop, host", "x-hop": "1", "x-end": "1" });
	expect(seen.names).not.toContain("x-hop");
	expect(seen.names).toContain("x-end");
	expect(seen.headers.host).toBe(`shop.apps.test:${edge.port}`);
	expect(seen.headers.connection).not.toBe("close, x-hop, host");
});

test("protocols other than WebSocket are not switched to", async () => {
	const seen = await reached("shop.apps.test", {
		connection: "Upgrade, HTTP2-Settings",
		upgrade: "h2c",
		"http2-settings": "AAMAAABk",
	});
	expect(seen.headers.upgrade).toBeUndefined();
	expect(seen.headers["http2-settings"]).toBeUndefined();
});

test("our cookies are taken out and the others left as they are", async () => {
	const seen = await reached("shop.apps.test", {
		cookie: "a=1; repldock_access=secret; theme=dark; repldock_access_lax=secret; repldock_access_x=mine; b=c=d",
	});
	expect(seen.headers.cookie).toBe("a=1; theme=dark; repldock_access_x=mine; b=c=d");
	const alone = await reached("shop.apps.test", { cookie: "repldock_access=secret" });
	expect(alone.names).not.toContain("cookie");
});

test("an app sets cookies for its own host only", async () => {
	const { headers } = await edge.visit("shop.apps.test", { path: "/cookies" });
	expect(headers["set-cookie"]).toEqual(["a=1; Path=/", "b=2; path=/", "domain=kept; Secure", "c=3;HttpOnly"]);
});

test("an app cannot steer the edge with X-Accel headers, and the edge does not name its version", async () => {
	const steered = await edge.visit("shop.apps.test", { path: "/steer" });
	expect(steered.body).toBe("not steered");
	const page = await edge.visit("nobody.apps.test");
	expect(page.headers.server).toBe("nginx");
});
