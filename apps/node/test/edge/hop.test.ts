import { createHmac, randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, route, type Seen } from "./support.ts";
import { type NamespacedEdge, startNamespacedEdges } from "./support-namespaces.ts";

/** Two edges of one cluster, each in a network namespace of its own, joined by a cable with the visitor's. */
let edges: { one: NamespacedEdge; two: NamespacedEdge; release(): Promise<void> };
const hopSecret = randomBytes(32).toString("base64url");
const projectId = "3f0c9a52-1111-4111-8111-00000000000d";

beforeAll(async () => {
	edges = await startNamespacedEdges();
	const { one, two } = edges;
	const app = await two.app();
	const target = { address: app.address, ports: [app.port], mainPort: app.port, projectId };
	const elsewhere = (slug: string, peer: string | null) => ({ slug, projectId, peer });
	await two.edge.replaceRoutes({
		revision: 1,
		hopSecret,
		routes: [
			route("far", target),
			route("secret", { ...target, visibility: "private" }),
			elsewhere("circle", one.peer),
			elsewhere("mine", one.peer),
		],
	});
	const mine = await one.app();
	await one.edge.replaceRoutes({
		revision: 1,
		hopSecret,
		routes: [
			elsewhere("far", two.peer),
			elsewhere("secret", two.peer),
			elsewhere("circle", two.peer),
			elsewhere("lost", "198.18.77.77:9"),
			elsewhere("hidden", null),
			route("mine", { address: mine.address, ports: [mine.port], mainPort: mine.port }),
		],
	});
});
afterAll(() => edges?.release());

const seen = (answer: Answer) => JSON.parse(answer.body) as Seen;

/** A hop header as an edge makes it. */
function hop(
	values: { secret?: string; time?: number; host?: string; address?: string; scheme?: string } = {},
): string {
	const {
		secret = hopSecret,
		time = Math.floor(Date.now() / 1000),
		host = "far.apps.test:8080",
		address = "198.18.9.9",
		scheme = "https",
	} = values;
	const text = ["repldock hop v1", time, host, address, scheme, 443].join("\n");
	return `v1 ${time} ${address} ${scheme} 443 ${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

test("a visitor of one edge reaches the app on the other node, which sees the visitor's address and no hop", async () => {
	const answer = await edges.one.visit("far.apps.test", { path: "/a?b=1", headers: { "x-forwarded-for": "6.6.6.6" } });
	expect(answer.status).toBe(200);
	expect(seen(answer).url).toBe("/a?b=1");
	expect(seen(answer).headers).toMatchObject({
		host: "far.apps.test:8080",
		"x-forwarded-for": edges.one.visitorAddress,
		"x-real-ip": edges.one.visitorAddress,
		"x-forwarded-proto": "http",
		"x-forwarded-host": "far.apps.test:8080",
	});
	expect(seen(answer).headers.forwarded).toContain(`for=${edges.one.visitorAddress};`);
	expect(seen(answer).names).not.toContain("x-repldock-hop");
});

test("a signed and fresh hop is believed about the visitor; a forged, altered, misplaced or old one is not", async () => {
	const now = Math.floor(Date.now() / 1000);
	const believed = await edges.two.visit("far.apps.test", { headers: { "x-repldock-hop": hop() } });
	expect(seen(believed).headers).toMatchObject({ "x-forwarded-for": "198.18.9.9", "x-forwarded-proto": "https" });
	for (const header of [
		hop({ secret: "another" }),
		hop().replace("198.18.9.9", "198.18.9.8"),
		hop().replace(" https ", " http "),
		hop({ host: "secret.apps.test:8080" }),
		hop({ time: now - 120 }),
		hop({ time: now + 120 }),
		"v1",
		"",
	]) {
		const answer = await edges.two.visit("far.apps.test", { headers: { "x-repldock-hop": header } });
		expect(answer.status).toBe(200);
		expect(seen(answer).headers["x-forwarded-for"], header).toBe(edges.two.visitorAddress);
		expect(seen(answer).names).not.toContain("x-repldock-hop");
	}
});

test("a request takes one hop and no second, whatever its header is worth", async () => {
	const circle = await edges.one.visit("circle.apps.test", { headers: { accept: "application/json" } });
	expect(circle.status).toBe(508);
	expect(JSON.parse(circle.body)).toMatchObject({ code: "node_unreachable" });
	for (const header of [hop(), "nonsense"]) {
		for (const path of ["/", "/_repldock/enter?token=x", "/_repldock/sign-in"]) {
			const answer = await edges.two.visit("mine.apps.test", { path, headers: { "x-repldock-hop": header } });
			expect(answer.status, path).toBe(508);
		}
	}
});

test("a node that cannot be reached is said to be so, and nothing of it is named", async () => {
	for (const [slug, status] of [
		["lost", 502],
		["hidden", 503],
	] as const) {
		const answer = await edges.one.visit(`${slug}.apps.test`);
		expect(answer.status).toBe(status);
		expect(answer.body).not.toContain("198.18.");
	}
});

test("who may see a private project is decided where it is, and its cookie is the visitor's at either edge", async () => {
	const visitors = new Set<unknown>();
	await edges.two.agent((incoming, response) => {
		visitors.add(incoming.headers["x-repldock-visitor"]);
		response.statusCode = incoming.headers["x-repldock-access"] === "good.token" ? 204 : 403;
		response.setHeader("x-repldock-user-id", "ada");
		response.end();
	});
	const browser = { accept: "text/html" };
	const away = await edges.one.visit("secret.apps.test", { path: "/x", headers: browser });
	expect(away.status).toBe(302);
	expect(new URL(away.headers.location ?? "").searchParams.get("host")).toBe("secret.apps.test:8080");
	expect((await edges.one.visit("secret.apps.test")).status).toBe(401);
	const entered = await edges.one.visit("secret.apps.test", { path: "/_repldock/enter?token=good.token&to=%2Fx" });
	expect(entered.status).toBe(302);
	const cookie = (entered.headers["set-cookie"] ?? [])[1]?.split(";")[0] ?? "";
	const visited = await edges.one.visit("secret.apps.test", { headers: { cookie } });
	expect(visited.status).toBe(200);
	expect(seen(visited).headers["x-repldock-user-id"]).toBe("ada");
	// The agent counts wrong tokens by the visitor's address, not by the other edge's.
	expect([...visitors]).toEqual([edges.one.visitorAddress]);
});

test("WebSockets and streams go through a hop", async () => {
	expect(await edges.one.echo("far.apps.test", "there and")).toBe("there and back");
	const upload = await edges.one.visit("far.apps.test", { method: "POST", path: "/size", body: "x".repeat(2_000_000) });
	expect(upload.body).toBe("2000000");
});
