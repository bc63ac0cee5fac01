import { createLocalJWKSet, decodeJwt, jwtVerify } from "jose";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Answer, Client } from "./support/client.ts";
import { dialIn, type FakeNode, nodeToken } from "./support/fake-node.ts";
import { createWorld, type Instance, type World } from "./support/site.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: World;
let instance: Instance;
let node: FakeNode;
let owner: Client;
let eve: Client;
let hidden: { id: string; slug: string };
let open: { id: string; slug: string };
const state = "s".repeat(24);
/** TXT records by name. */
const records = new Map<string, string[]>();

beforeAll(async () => {
	world = await createWorld({}, { txt: async (name) => records.get(name) ?? [], cname: async () => [] });
	instance = await world.startInstance();
	node = await dialIn(world, instance);
	owner = await instance.signedUp("Owner");
	eve = await instance.signedUp("Eve");
	const make = async (visibility: string) =>
		(await owner.post("/api/v1/projects", { template: "python", name: `Its ${visibility}`, visibility })).body;
	[hidden, open] = [await make("private"), await make("public")];
});
afterAll(() => world?.stop());

const hostOf = ({ slug }: { slug: string }) => `${slug}.localhost:8080`;
function visit(client: Client, host: string, to = "/a?b=1", more: Record<string, string> = {}): Promise<Answer> {
	return client.get(`/visit?${new URLSearchParams({ host, to, state, ...more })}`);
}
const isRefused = (answer: Answer) => answer.status !== 302 && answer.headers.get("location") === null;

test("the owner is sent back to the app with a ticket for this project, host and browser, in no cache and no referrer", async () => {
	const answer = await visit(owner, hostOf(hidden));
	expect(answer.status).toBe(302);
	expect(answer.headers.get("cache-control")).toBe("no-store");
	expect(answer.headers.get("referrer-policy")).toBe("no-referrer");
	const target = new URL(answer.headers.get("location") ?? "");
	expect(target.origin + target.pathname).toBe(`http://${hostOf(hidden)}/_repldock/enter`);
	expect(target.searchParams.get("to")).toBe("/a?b=1");
	const ticket = target.searchParams.get("ticket") ?? "";
	const keys = createLocalJWKSet({ keys: node.welcome.ticketKeys });
	const { payload } = await jwtVerify(ticket, keys, { issuer: "repldock", audience: "repldock-visit" });
	expect(payload).toMatchObject({ visit: hidden.id, host: hostOf(hidden), state, name: "Owner" });
	expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
	const second = new URL((await visit(owner, hostOf(hidden))).headers.get("location") ?? "");
	expect(decodeJwt(second.searchParams.get("ticket") ?? "").jti).not.toBe(payload.jti);
});

test("a stranger is asked to sign in and comes back to the same visit", async () => {
	const stranger = instance.client();
	for (const host of [hostOf(hidden), "nobody.localhost:8080"]) {
		const answer = await visit(stranger, host);
		expect(answer.status).toBe(302);
		const target = new URL(answer.headers.get("location") ?? "", "http://localhost:8080");
		expect(target.pathname).toBe("/sign-in");
		const next = new URL(target.searchParams.get("next") ?? "", "http://localhost:8080");
		expect(next.pathname).toBe("/visit");
		expect(Object.fromEntries(next.searchParams)).toEqual({ host, to: "/a?b=1", state });
	}
});

test("somebody who may not see the project gets no ticket", async () => {
	expect(isRefused(await visit(eve, hostOf(hidden)))).toBe(true);
	const asked = await eve.post("/api/v1/visits", { host: hostOf(hidden), to: "/", state });
	expect(asked.status).toBe(403);
	expect(asked.body).toMatchObject({ code: "not_allowed" });
});

test("tickets go to hosts of this instance's apps and nowhere else", async () => {
	for (const host of [
		"evil.example",
		`${hidden.slug}.localhost.evil.example`,
		`evil.example#${hostOf(hidden)}`,
		`evil.example/${hostOf(hidden)}`,
		`${hostOf(hidden)}@evil.example`,
		`user@${hostOf(hidden)}`,
		`a.${hostOf(hidden)}`,
		`${hidden.slug}.localhost:22`,
		`${hidden.slug}.localhost:2000`,
		`${hidden.slug}.localhost:99999`,
		`${hidden.slug}.localhost:8080:1`,
		"localhost:8080",
		".localhost:8080",
		"node.localhost:8080",
		"",
		`${hostOf(hidden)}\r\nx: y`,
	]) {
		expect(isRefused(await visit(owner, host)), host).toBe(true);
		expect((await owner.post("/api/v1/visits", { host, to: "/", state })).status, host).toBeGreaterThanOrEqual(400);
	}
	for (const to of ["https://evil.example/", "", "a"])
		expect(isRefused(await visit(owner, hostOf(hidden), to)), to).toBe(true);
	for (const odd of ["", "short", "x".repeat(100), "a b c d e f g h i j k"]) {
		expect(isRefused(await visit(owner, hostOf(hidden), "/", { state: odd })), odd).toBe(true);
	}
	for (const host of [`3000--${hidden.slug}.localhost:8080`, `${hidden.slug}.localhost:3000`]) {
		expect(new URL((await visit(owner, host)).headers.get("location") ?? "").host).toBe(host);
	}
});

test("tickets go to a custom domain once it is proved, to its project's people alone, and no longer than it is theirs", async () => {
	const domains = `/api/v1/projects/${hidden.id}/domains`;
	const added = (await owner.post(domains, { name: "club.example.org" })).body;
	const host = "club.example.org:8080";
	expect(isRefused(await visit(owner, host))).toBe(true);
	for (const { name, value } of added.records) records.set(name, [value]);
	await owner.post(`${domains}/${added.id}/verify`, {});

	const answer = await visit(owner, host);
	expect(answer.status).toBe(302);
	const target = new URL(answer.headers.get("location") ?? "");
	expect(target.origin + target.pathname).toBe(`http://${host}/_repldock/enter`);
	const claims = decodeJwt(target.searchParams.get("ticket") ?? "");
	expect(claims).toMatchObject({ visit: hidden.id, host, state });
	expect(isRefused(await visit(eve, host))).toBe(true);
	for (const other of ["www.club.example.org:8080", "3000--club.example.org:8080", "club.example.org:22"])
		expect(isRefused(await visit(owner, other)), other).toBe(true);

	await owner.delete(`${domains}/${added.id}`);
	expect(isRefused(await visit(owner, host))).toBe(true);
});

test("somebody else's app learns who a person is only after they said so, on our own page", async () => {
	expect(isRefused(await visit(eve, hostOf(open)))).toBe(true);
	const body = { host: hostOf(open), to: "/", state };
	const agreed = await eve.post("/api/v1/visits", body);
	expect(agreed.status).toBe(200);
	expect(new URL(agreed.body.url).host).toBe(hostOf(open));
	const foreign = eve.at(instance);
	foreign.headers.origin = `http://${hostOf(open)}`;
	expect((await foreign.post("/api/v1/visits", body)).status).toBe(403);
	expect((await instance.client().post("/api/v1/visits", body)).status).toBe(401);
});

async function nodeAsks(token: string, projectId: string, bearer?: string) {
	const response = await fetch(`${instance.url}/api/node/visits`, {
		method: "POST",
		headers: { authorization: `Bearer ${bearer ?? (await nodeToken(world))}` },
		body: JSON.stringify({ token, projectId }),
	});
	return { status: response.status, body: (await response.json()) as { user?: { name: string } | null } };
}

test("a node learns whose personal token it was shown, for projects that its owner may see", async () => {
	const [ofOwner, ofEve] = await Promise.all(
		[owner, eve].map(async (client) => (await client.post("/api/v1/tokens", { name: "ci" })).body.token as string),
	);
	expect((await nodeAsks(ofOwner ?? "", hidden.id)).body.user).toMatchObject({ name: "Owner" });
	expect((await nodeAsks(ofEve ?? "", hidden.id)).body.user).toBeNull();
	expect((await nodeAsks(ofEve ?? "", open.id)).body.user).toMatchObject({ name: "Eve" });
	expect((await nodeAsks(`rd_${"n".repeat(43)}`, hidden.id)).body.user).toBeNull();
	expect((await nodeAsks(ofOwner ?? "", "3f0c9a52-1111-4111-8111-000000000001")).body.user).toBeNull();
	expect((await nodeAsks("nonsense", hidden.id)).status).toBe(400);
	expect((await nodeAsks(ofOwner ?? "", hidden.id, "wrong")).status).toBe(403);
	expect((await nodeAsks(ofOwner ?? "", hidden.id, ofOwner)).status).toBe(403);
});

test("an app in the trash lets nobody in", async () => {
	const made = (await owner.post("/api/v1/projects", { template: "python", name: "Gone", visibility: "private" })).body;
	expect((await visit(owner, hostOf(made))).status).toBe(302);
	expect((await owner.delete(`/api/v1/projects/${made.id}`)).status).toBeLessThan(300);
	expect(isRefused(await visit(owner, hostOf(made)))).toBe(true);
});

test("a project that was made private tells its node to end what the public was given", async () => {
	const rights = () => node.desired().find(({ projectId }) => projectId === open.id)?.rightsVersion ?? 0;
	const before = rights();
	await owner.patch(`/api/v1/projects/${open.id}`, { visibility: "private" });
	await node.waitFor(() => rights() > before);
	expect(isRefused(await visit(eve, hostOf(open)))).toBe(true);
});
