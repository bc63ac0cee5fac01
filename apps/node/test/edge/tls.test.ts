import { afterAll, beforeAll, expect, test } from "vitest";
import { readEdgeLog } from "../../src/host/edge-process.ts";
import { route, until } from "./support.ts";
import { startTlsEdge, type TlsEdge } from "./tls-edge.ts";
import type { Seen } from "./visitors.ts";

let tls: TlsEdge;
beforeAll(async () => {
	tls = await startTlsEdge();
});
afterAll(() => tls?.edge.release());

test("a handshake waits for the first certificates instead of failing", async () => {
	const { edge, issue, handshake } = tls;
	const waiting = handshake("localhost");
	await edge.edge.replaceCertificates([await issue("localhost")]);
	expect((await waiting).names).toBe("DNS:localhost");
});

test("the exact name goes before the wildcard, any case, and a change needs no reload", async () => {
	const { edge, issue, handshake } = tls;
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
	const { edge, handshake } = tls;
	for (const name of ["stranger.example", "a.b.apps.test", "apps.test", "name", "id"]) {
		await expect(handshake(name), name).rejects.toThrow();
	}
	// Who names no host, as old programs and those that dial an address, meets the site's certificate.
	expect((await handshake(undefined)).names).toBe("DNS:localhost");
	expect(await readEdgeLog(edge.dataDirectory)).toBe("");
});

test("a certificate that cannot be read is refused whole", async () => {
	const { edge, issue, handshake } = tls;
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
	const { edge, handshake } = tls;
	const ending = new AbortController();
	const watching = edge.edge.watch(ending.signal);
	await edge.stop();
	await edge.start();
	expect((await handshake("shop.apps.test")).names).toBe("DNS:*.apps.test");
	ending.abort();
	await watching;
});

test("visitors by HTTP/2 reach apps, site and node, and are told apart from plain ones", async () => {
	const { edge, issue, ask, app } = tls;
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
	const { edge, ask } = tls;
	// Browsers share one connection among the names of a wildcard certificate.
	const answer = await ask("shop.apps.test", {}, undefined, `nobody.apps.test:${edge.httpsPort}`);
	expect(answer.headers[":status"]).toBe(404);
});

test("private apps are private by HTTP/2 too, and let in whom the agent lets in", async () => {
	const { edge, ask, app } = tls;
	await edge.edge.replaceRoutes({ revision: 2, routes: [await app("diary", [], "private")] });
	expect((await ask("diary.apps.test")).headers[":status"]).toBe(401);
	expect((await ask("diary.apps.test", { cookie: "repldock_access=wrong" })).headers[":status"]).toBe(403);
	expect((await ask("diary.apps.test", { cookie: "repldock_access=right" })).headers[":status"]).toBe(200);
	const entered = await ask("diary.apps.test", { ":path": "/_repldock/enter?token=right&to=/a" });
	expect(entered.headers[":status"]).toBe(302);
	expect(entered.headers["set-cookie"]).toHaveLength(2);
	for (const cookie of entered.headers["set-cookie"] ?? []) expect(cookie).toMatch(/; Secure/);
});
test("the plain port sends visitors to TLS where a certificate is for their host, and not elsewhere", async () => {
	const { edge, app } = tls;
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
	const { edge, ask, app } = tls;
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
	const { edge, app } = tls;
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
	const { edge, app } = tls;
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
