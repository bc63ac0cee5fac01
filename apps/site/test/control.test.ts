import { createLocalJWKSet, decodeJwt, jwtVerify } from "jose";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import type { Client } from "./support/client.ts";
import { eventually } from "./support/eventually.ts";
import { controlUrl, dialIn, type FakeNode, nodeToken } from "./support/fake-node.ts";
import { createWorld, type Instance, siteUrl, type World } from "./support/site.ts";

// Passwords are hashed slowly on purpose, and test files share few cores.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: World;
/** The node dials in at one instance; people use the other. */
let nodesInstance: Instance;
let peoplesInstance: Instance;
let node: FakeNode;
let owner: Client;
let eve: Client;

beforeAll(async () => {
	world = await createWorld({ REPLDOCK_JANITOR_INTERVAL: "100ms" });
	[nodesInstance, peoplesInstance] = await Promise.all([world.startInstance(), world.startInstance()]);
	node = await dialIn(world, nodesInstance);
	owner = await peoplesInstance.signedUp("Owner");
	eve = await peoplesInstance.signedUp("Eve");
});
afterAll(() => world.stop());

async function makeProject(name: string, changes: object = {}) {
	const answer = await owner.post("/api/v1/projects", { template: "python", name, ...changes });
	expect(answer.status).toBe(201);
	const { id } = answer.body as { id: string };
	return {
		id,
		path: `/api/v1/projects/${id}`,
		/** Waits until the node is told something about this project that the condition holds for. */
		async desired(condition: (placement: Awaited<ReturnType<FakeNode["waitFor"]>>[number]) => boolean) {
			const of = (set: ReturnType<FakeNode["desired"]>) => set.find((placement) => placement.projectId === id);
			const set = await node.waitFor((placements) => {
				const placement = of(placements);
				return placement !== undefined && condition(placement);
			});
			const found = of(set);
			if (!found) throw new Error("unreachable");
			return found;
		},
		state: async () => (await owner.get(`/api/v1/projects/${id}`)).body.state as string,
	};
}

test("a node gets its id, the ticket key and what it is to hold, and keeps the id when it dials in anew", async () => {
	expect(node.welcome.siteOrigins).toEqual([siteUrl]);
	expect(node.welcome.ticketKeys[0]).toMatchObject({ kty: "OKP", crv: "Ed25519" });
	expect(node.welcome.ticketKeys[0]).not.toHaveProperty("d");
	const again = await dialIn(world, peoplesInstance, "two");
	const id = again.welcome.nodeId;
	expect(id).not.toBe(node.welcome.nodeId);
	await again.close();
	const third = await dialIn(world, nodesInstance, "two");
	expect(third.welcome.nodeId).toBe(id);
	// Let it be lost, so that projects go to the first node alone.
	await third.close();
	await world.query("UPDATE nodes SET last_seen_at = now() - interval '1 minute' WHERE name = 'two'");
});

test("changes made at one instance reach the node at the other without waiting for a poll", async () => {
	const begun = Date.now();
	const project = await makeProject("Travels");
	expect(await project.desired(() => true)).toMatchObject({
		generation: 1,
		want: "stopped",
		wantVersion: 1,
		slug: "travels",
		template: "python",
		visibility: "private",
		rightsVersion: 1,
		owner: { name: "Owner", mostRunning: 20 },
		limits: { memoryBytes: 512 * 1024 ** 2, cpus: 1, pids: 256, diskBytes: 1024 ** 3 },
	});
	expect((await owner.post(`${project.path}/ticket`)).status).toBe(200);
	await project.desired((placement) => placement.want === "running" && placement.wantVersion === 2);
	await owner.patch(project.path, { slug: "travelled", visibility: "public" });
	await project.desired((placement) => placement.slug === "travelled" && placement.visibility === "public");
	await owner.patch(project.path, { visibility: "private" });
	await project.desired((placement) => placement.rightsVersion === 2);
	await owner.post(`${project.path}/stop`);
	await project.desired((placement) => placement.want === "stopped" && placement.wantVersion === 3);
	// Six polls in a row would take longer.
	expect(Date.now() - begun).toBeLessThan(30_000);
});

test("what a node reports is shown, and reports of another generation or an older wish change nothing", async () => {
	const project = await makeProject("Reported");
	await owner.post(`${project.path}/ticket`);
	const placement = await project.desired(({ want }) => want === "running");
	expect(await project.state()).toBe("starting");
	node.report(placement, "running");
	await eventually(async () => expect(await project.state()).toBe("running"));

	const problem = { code: "container_failed", status: 502, detail: "It did not start." } as const;
	node.report({ ...placement, generation: 2 }, "failed", { problem });
	node.report({ ...placement, wantVersion: placement.wantVersion - 1 }, "stopped");
	node.report({ ...placement, projectId: crypto.randomUUID() }, "stopped");
	const other = await makeProject("Marker");
	node.report(await other.desired(() => true), "failed", { problem });
	// Messages are handled in order: when the last one shows, the ones before it have had their chance.
	await eventually(async () => expect(await other.state()).toBe("failed"));
	expect((await owner.get(other.path)).body.problem).toEqual(problem);
	expect(await project.state()).toBe("running");

	// It sleeps for want of users, first paused, then stopped; opening it again is a new wish, which starts it.
	for (const state of ["paused", "stopped"] as const) {
		node.report(placement, state);
		await eventually(async () => expect(await project.state()).toBe("asleep"));
		node.report(placement, "running");
		await eventually(async () => expect(await project.state()).toBe("running"));
	}
	node.report(placement, "stopped");
	await eventually(async () => expect(await project.state()).toBe("asleep"));
	await owner.post(`${project.path}/ticket`);
	await project.desired(({ wantVersion }) => wantVersion === placement.wantVersion + 1);
	expect(await project.state()).toBe("starting");
});

test("a ticket is for one node, project and right, and verifies offline with the key of the welcome", async () => {
	const project = await makeProject("Ticketed", { visibility: "public" });
	const { body: grant } = await owner.post(`${project.path}/ticket`);
	expect(grant).toMatchObject({ gatewayUrl: "http://node.localhost:8080", rights: "edit" });
	const keys = createLocalJWKSet({ keys: [...node.welcome.ticketKeys] });
	const expected = { issuer: "repldock", audience: node.welcome.nodeId, algorithms: ["EdDSA"] };
	const { payload } = await jwtVerify(grant.ticket, keys, expected);
	expect(payload).toMatchObject({ projectId: project.id, rights: "edit", rightsVersion: 1, name: "Owner" });
	expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
	const later = new Date(Date.now() + 61_000);
	await expect(jwtVerify(grant.ticket, keys, { ...expected, currentDate: later })).rejects.toThrow(/exp/);
	await expect(jwtVerify(grant.ticket, keys, { ...expected, audience: project.id })).rejects.toThrow(/aud/);
	const [header, , signature] = grant.ticket.split(".");
	const forged = Buffer.from(JSON.stringify({ ...payload, rights: "edit", projectId: node.welcome.nodeId }));
	await expect(jwtVerify(`${header}.${forged.toString("base64url")}.${signature}`, keys)).rejects.toThrow(/signature/);

	const versions = () => world.query("SELECT want, want_version FROM placements WHERE project_id = $1", [project.id]);
	const before = await versions();
	const { body: view } = await eve.post(`${project.path}/ticket`);
	expect(view.rights).toBe("view");
	expect(decodeJwt(view.ticket).rights).toBe("view");
	// Who may only look wakes nothing.
	expect(await versions()).toEqual(before);
	expect((await peoplesInstance.client().post(`${project.path}/ticket`)).body.code).toBe("sign_in_required");
	await owner.patch(project.path, { visibility: "private" });
	expect((await eve.post(`${project.path}/ticket`)).body.code).toBe("not_found");
	expect(decodeJwt((await owner.post(`${project.path}/ticket`)).body.ticket).rightsVersion).toBe(2);
});

test("a deleted project stops; when its time is over the node purges it, and only then the row goes", async () => {
	const project = await makeProject("Doomed");
	await owner.post(`${project.path}/ticket`);
	await owner.delete(project.path);
	const stopped = await project.desired(({ want, rightsVersion }) => want === "stopped" && rightsVersion === 2);
	await world.query("UPDATE projects SET deleted_at = deleted_at - interval '8 days' WHERE id = $1", [project.id]);
	const purged = await project.desired(({ want }) => want === "purged");
	expect((await owner.post(`${project.path}/restore`)).body.code).toBe("not_found");
	node.report(stopped, "purged");
	node.report({ ...purged, generation: 7 }, "purged");
	node.report(purged, "stopped");
	node.report(purged, "purged");
	await node.waitFor((placements) => placements.every((placement) => placement.projectId !== project.id));
	expect((await owner.get(project.path)).status).toBe(404);
});

test("sockets without the node's token, or that talk nonsense, are refused", async () => {
	const token = await nodeToken(world);
	const url = controlUrl(nodesInstance);
	for (const authorization of [
		undefined,
		"Bearer ",
		"Bearer wrong",
		`Basic ${token}`,
		`Bearer ${token}x`,
		`Bearer ${token.slice(1)}`,
	]) {
		const socket = new WebSocket(url, authorization === undefined ? {} : { headers: { authorization } });
		const status = await new Promise((resolve) => {
			socket.once("unexpected-response", (_request, response) => resolve(response.statusCode));
			socket.once("open", () => resolve("open"));
		});
		expect(status, authorization).toBe(401);
	}
	const elsewhere = new WebSocket(url.replace("/control", "/other"), { headers: { authorization: `Bearer ${token}` } });
	await new Promise((resolve) => elsewhere.once("unexpected-response", resolve));
	for (const nonsense of ["{", "{}", '{"type":"heartbeat"}', '{"type":"hello","name":""}', Buffer.from([1, 2])]) {
		const socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });
		socket.once("open", () => socket.send(nonsense));
		expect(await new Promise((resolve) => socket.once("close", resolve)), String(nonsense)).toBe(1008);
	}
});

test("a node that dials in twice is spoken for by the newer socket", async () => {
	const first = await dialIn(world, nodesInstance, "twice");
	const second = await dialIn(world, peoplesInstance, "twice");
	first.send({ type: "heartbeat" });
	expect(await first.closed).toBe(4001);
	second.send({ type: "heartbeat" });
	await second.close();
	await world.query("UPDATE nodes SET last_seen_at = now() - interval '1 minute' WHERE name = 'twice'");
});

test("a lost node is said so, and projects are no longer put there", async () => {
	const project = await makeProject("Stranded");
	await owner.post(`${project.path}/ticket`);
	const placement = await project.desired(({ want }) => want === "running");
	// The report comes after the last heartbeat, and is taken in after it.
	node.beat(false);
	node.report(placement, "running");
	await eventually(async () => expect(await project.state()).toBe("running"));
	await world.query("UPDATE nodes SET last_seen_at = now() - interval '16 seconds' WHERE name = 'one'");
	const shown = (await owner.get(project.path)).body;
	expect(shown).toMatchObject({ state: "failed", problem: { code: "node_unreachable" } });
	expect((await owner.post(`${project.path}/ticket`)).body.code).toBe("node_unreachable");
	const homeless = await owner.post("/api/v1/projects", { template: "python", name: "Homeless" });
	expect((await owner.post(`/api/v1/projects/${homeless.body.id}/ticket`)).body.code).toBe("no_node");

	node.beat(true);
	node.send({ type: "heartbeat" });
	await eventually(async () => expect(await project.state()).toBe("running"));
	expect((await owner.post(`/api/v1/projects/${homeless.body.id}/ticket`)).status).toBe(200);
});

test("the administrator sees the nodes and what they carry", async () => {
	const operator = await peoplesInstance.administrator();
	const { items } = (await operator.get("/api/v1/nodes")).body;
	const one = items.find((item: { name: string }) => item.name === "one");
	expect(one).toMatchObject({ live: true, slots: 10, gatewayUrl: "http://node.localhost:8080" });
	expect(one.placed).toBeGreaterThan(0);
	const { items: users } = (await operator.get("/api/v1/users")).body;
	expect(users.find((user: { name: string }) => user.name === "Owner").projects).toBeGreaterThan(0);
	const page = (await operator.get("/api/v1/users?limit=1")).body;
	expect((await operator.get(`/api/v1/users?limit=1&cursor=${page.nextCursor}`)).body.items[0].name).toBe("Eve");
	const project = await makeProject("Overseen");
	expect((await operator.post(`${project.path}/ticket`)).body.rights).toBe("edit");
});

test("an administrator alone keeps a project on, finds it by its address, and its node hears of it", async () => {
	const project = await makeProject("Steady");
	const operator = await peoplesInstance.administrator();
	const path = `/api/v1/admin/projects/${project.id}`;
	expect((await owner.patch(path, { alwaysOn: true })).status).toBe(403);
	expect((await owner.get("/api/v1/admin/projects")).status).toBe(403);
	expect((await owner.patch(project.path, { alwaysOn: true })).status).toBe(400);
	expect(await project.desired(() => true)).toMatchObject({ alwaysOn: false });

	const [found] = (await operator.get("/api/v1/admin/projects?slug=steady")).body.items;
	expect(found).toMatchObject({ id: project.id, alwaysOn: false, ownerName: "Owner" });
	expect((await operator.get("/api/v1/admin/projects")).body.items).toEqual([]);
	expect((await operator.patch(path, { alwaysOn: true })).body).toMatchObject({ id: project.id, alwaysOn: true });
	await project.desired(({ alwaysOn }) => alwaysOn);
	expect((await owner.get(project.path)).body.alwaysOn).toBe(true);
	expect((await operator.get("/api/v1/admin/projects")).body.items).toMatchObject([{ id: project.id }]);
	await operator.patch(path, { alwaysOn: false });
	await project.desired(({ alwaysOn }) => !alwaysOn);
	expect((await operator.patch(`/api/v1/admin/projects/${crypto.randomUUID()}`, { alwaysOn: true })).status).toBe(404);
});

test("after the database dropped every connection, changes still reach the node", async () => {
	const project = await makeProject("Resilient");
	await project.desired(() => true);
	await world.cluster.dropConnections(world.database);
	await eventually(async () => expect((await owner.patch(project.path, { name: "Still here" })).status).toBe(200));
	await eventually(async () => expect((await owner.post(`${project.path}/stop`)).status).toBe(204));
	await eventually(async () => expect((await owner.post(`${project.path}/ticket`)).status).toBe(200));
	await project.desired(({ want }) => want === "running");
});

test("a stop of the site closes the node's socket cleanly and within its time", async () => {
	const instance = await world.startInstance();
	const brief = await dialIn(world, instance, "brief");
	const begun = Date.now();
	await instance.close();
	expect(await brief.closed).toBe(1001);
	expect(Date.now() - begun).toBeLessThan(30_000);
});
