import { createHmac, randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type KeyPairPem, makeAuthority, signLeaf } from "../../src/certificates/make.ts";
import { readCertificate } from "../../src/certificates/read.ts";
import { route } from "./support.ts";
import { type NamespacedEdge, startNamespacedEdges, tlsPort } from "./support-namespaces.ts";
import { type Answer, askHttp2, type Seen } from "./visitors.ts";

/** Two edges of one cluster, each in a network namespace of its own, joined by a cable with the visitor's. */
let edges: { one: NamespacedEdge; two: NamespacedEdge; release(): Promise<void> };
/** Signs what visitors see by TLS. */
let authority: KeyPairPem;
const hopSecret = randomBytes(32).toString("base64url");
const projectId = "3f0c9a52-1111-4111-8111-00000000000d";
/** For whom the agent of the second node was asked. */
const visitors = new Set<unknown>();

beforeAll(async () => {
	edges = await startNamespacedEdges();
	const { one, two } = edges;
	const app = await two.app();
	const target = { address: app.address, ports: [app.port], mainPort: app.port, projectId };
	const elsewhere = (slug: string, peer: string | null, ...domains: string[]) => {
		return { slug, projectId, peer, peerTlsPort: slug === "plain" ? null : tlsPort, domains };
	};
	const sleeper = route("sleeper", { projectId, wakes: true, state: "paused" });
	await two.edge.replaceRoutes({
		revision: 1,
		hopSecret,
		routes: [
			route("far", { ...target, domains: ["shop.example.org"] }),
			route("rpc", { ...target, mainPort: app.grpcPort }),
			sleeper,
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
			elsewhere("far", two.peer, "shop.example.org"),
			elsewhere("rpc", two.peer),
			elsewhere("plain", two.peer),
			elsewhere("sleeper", two.peer),
			elsewhere("secret", two.peer),
			elsewhere("circle", two.peer),
			elsewhere("lost", "198.18.77.77:9"),
			elsewhere("hidden", null),
			route("mine", { address: mine.address, ports: [mine.port], mainPort: mine.port }),
		],
	});
	authority = await makeAuthority("Test authority");
	await one.edge.replaceCertificates([await readCertificate(await signLeaf(authority, ["*.apps.test"]))]);
	await two.edge.replaceCertificates([]);
	await two.agent(async (incoming, response) => {
		visitors.add(incoming.headers["x-repldock-visitor"]);
		if (incoming.url === "/edge/wake") {
			await two.edge.changeRoutes({ revision: 2, set: [route("sleeper", target)], removed: [] });
			return void response.writeHead(204).end();
		}
		response.statusCode = incoming.headers["x-repldock-access"] === "good.token" ? 204 : 403;
		response.setHeader("x-repldock-user-id", "ada");
		response.end();
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
	visitors.clear();
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

test("WebSockets and uploads go through a hop", async () => {
	expect(await edges.one.echo("far.apps.test", "there and")).toBe("there and back");
	const upload = await edges.one.visit("far.apps.test", { method: "POST", path: "/size", body: "x".repeat(2_000_000) });
	expect(upload.body).toBe("2000000");
});

test("server-sent events come through a hop as they are sent", async () => {
	// The app sends the second event once it was asked to, which happens when the first has arrived.
	let isAsked = false;
	const all = await edges.one.follow("far.apps.test", "/events", (text) => {
		if (isAsked || !text.includes("data: one\n\n")) return;
		isAsked = true;
		void edges.one.visit("far.apps.test", { path: "/next" });
	});
	expect(all).toBe("data: one\n\ndata: two\n\n");
});

test("a custom domain leads to its project on another node, as long as it is the project's", async () => {
	const { one, two } = edges;
	const answer = await one.visit("shop.example.org", { path: "/shelf" });
	expect(answer.status).toBe(200);
	expect(seen(answer).headers).toMatchObject({
		host: "shop.example.org:8080",
		"x-forwarded-for": one.visitorAddress,
	});
	expect(await one.echo("shop.example.org", "there and")).toBe("there and back");
	const far = { slug: "far", projectId, peer: two.peer, peerTlsPort: tlsPort, domains: [] };
	await one.edge.changeRoutes({ revision: 2, set: [far], removed: [] });
	expect((await one.visit("shop.example.org")).status).toBe(404);
});

test("gRPC goes through a hop with its messages and trailers, and the visitor's name for it", async () => {
	const message = Buffer.from([0, 0, 0, 0, 3, 1, 2, 3]);
	const call = (slug: string) => {
		const host = `${slug}.apps.test`;
		const headers = {
			":authority": host,
			":method": "POST",
			":path": "/echo.Echo/Say",
			"content-type": "application/grpc",
			te: "trailers",
		};
		return askHttp2({ ...edges.one.tls, ca: authority.certificate }, host, { headers, body: message });
	};
	for (let turn = 0; turn < 3; turn += 1) {
		const answer = await call("rpc");
		expect(answer.headers[":status"]).toBe(200);
		expect(Buffer.from(answer.body)).toEqual(message);
		expect(answer.trailers).toMatchObject({
			"grpc-status": "0",
			visitor: edges.one.visitorAddress,
			authority: "rpc.apps.test",
		});
	}
	// A node whose edge speaks no TLS cannot be asked by HTTP/2, and says so.
	expect((await call("plain")).headers[":status"]).toBe(503);
});

test("a visit through a hop wakes a sleeping project on the other node, and is answered by it", async () => {
	const answer = await edges.one.visit("sleeper.apps.test", { path: "/morning" });
	expect(answer.status).toBe(200);
	expect(seen(answer).url).toBe("/morning");
});
