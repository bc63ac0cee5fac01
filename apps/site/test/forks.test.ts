import type { Checkpoint, DesiredPlacement, ManifestAnswer } from "@repldock/protocol";
import { manifestsPath, unnamedObjectsPath } from "@repldock/protocol";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { checkpoint, report } from "./support/checkpoints.ts";
import type { Client } from "./support/client.ts";
import { eventually } from "./support/eventually.ts";
import { dialIn, type FakeNode, nodeToken } from "./support/fake-node.ts";
import { createWorld, type Instance, type World } from "./support/site.ts";

// Passwords are hashed slowly on purpose, and test files share few cores.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: World;
let instance: Instance;
let owner: Client;
let other: Client;
let one: FakeNode;
let two: FakeNode;

beforeAll(async () => {
	world = await createWorld({
		REPLDOCK_JANITOR_INTERVAL: "100ms",
		REPLDOCK_PROJECTS_PER_USER: "30",
		// These nodes answer when a test says so.
		REPLDOCK_FORK_PATIENCE: "100ms",
	});
	instance = await world.startInstance();
	owner = await instance.signedUp("Owner");
	other = await instance.signedUp("Other");
	one = await dialIn(world, instance, "one");
	two = await dialIn(world, instance, "two");
});
afterAll(() => world?.stop());

/** A project that somebody has opened, on the first node. */
async function makeOrigin(name: string, visibility: "public" | "private" = "private") {
	const { id } = (await owner.post("/api/v1/projects", { template: "python", name, visibility })).body;
	await world.query("UPDATE placements SET node_id = $2 WHERE project_id = $1", [id, one.welcome.nodeId]);
	await owner.post(`/api/v1/projects/${id}/ticket`);
	return id as string;
}

const parentOf = ({ projectId, generation, sequence }: Checkpoint) => ({ projectId, generation, sequence });

async function ask<T>(path: string, question: object): Promise<T> {
	const headers = { authorization: `Bearer ${await nodeToken(world)}` };
	const response = await fetch(instance.url + path, { method: "POST", headers, body: JSON.stringify(question) });
	return (await response.json()) as T;
}

const chainOf = async (projectId: string) => (await ask<ManifestAnswer>(manifestsPath, { projectId })).chain;
const unnamed = async (keys: string[]) => (await ask<{ unnamed: string[] }>(unnamedObjectsPath, { keys })).unnamed;
const placementOf = (node: FakeNode, id: string) => node.desired().find(({ projectId }) => projectId === id);

async function fork(id: string, body: object = {}, client = owner) {
	const answer = await client.post(`/api/v1/projects/${id}/fork`, body);
	expect(answer).toMatchObject({ status: 201 });
	return answer.body;
}

test("a fork is a private project of whoever makes it, on the origin's node, which copies the volume until it has stored something of its own", async () => {
	const id = await makeOrigin("Origin", "public");
	const made = await fork(id, {}, other);
	expect(made).toMatchObject({
		name: "Fork of Origin",
		slug: "fork-of-origin",
		visibility: "private",
		template: "python",
	});
	await eventually(async () => expect(placementOf(one, made.id)).toMatchObject({ copyOf: id, stored: false }));
	expect((await owner.get(`/api/v1/projects/${made.id}`)).status).toBe(404);
	expect((await other.post(`/api/v1/projects/${made.id}/ticket`)).status).toBe(200);
	await report(one, checkpoint(made.id, 5));
	await eventually(async () => expect(placementOf(one, made.id)).toMatchObject({ stored: true }));
	expect(placementOf(one, made.id)).not.toHaveProperty("copyOf");
});

test("it takes the name and address that one asks for, and says when the address is taken", async () => {
	const id = await makeOrigin("Named");
	expect(await fork(id, { name: "Mine", slug: "mine-alone" })).toMatchObject({ name: "Mine", slug: "mine-alone" });
	expect(await owner.post(`/api/v1/projects/${id}/fork`, { slug: "mine-alone" })).toMatchObject({
		status: 409,
		body: { code: "slug_taken" },
	});
});

test("what one may not see cannot be forked, nor what is in the trash, nor more than one may have", async () => {
	const id = await makeOrigin("Hidden");
	expect((await other.post(`/api/v1/projects/${id}/fork`, {})).status).toBe(404);
	await owner.delete(`/api/v1/projects/${id}`);
	expect((await owner.post(`/api/v1/projects/${id}/fork`, {})).body.code).toBe("not_allowed");
	const full = await instance.signedUp("Full");
	const open = await makeOrigin("Open", "public");
	for (let at = 0; at < 30; at += 1) await full.post("/api/v1/projects", { template: "python", name: `P${at}` });
	expect((await full.post(`/api/v1/projects/${open}/fork`, {})).body.code).toBe("limit_reached");
});

test("the fork's present state is the origin's durable one, and stays so whatever becomes of the origin", async () => {
	const id = await makeOrigin("Doomed");
	const full = checkpoint(id, 10);
	const next = checkpoint(id, 20, { parent: parentOf(full) });
	const later = checkpoint(id, 30, { parent: parentOf(next) });
	await report(one, full, next);
	const made = await fork(id);
	await eventually(async () => expect(placementOf(one, made.id)).toMatchObject({ copyOf: id, stored: true }));
	await report(one, later);
	expect(await chainOf(made.id)).toEqual([full, next]);
	const first = checkpoint(made.id, 7, { parent: parentOf(next) });
	await report(one, first);
	expect(await chainOf(made.id)).toEqual([full, next, first]);

	await world.query("UPDATE checkpoints SET recorded_at = '2000-01-01Z', taken_at = '2000-01-01Z'");
	await world.query("UPDATE projects SET deleted_at = '2000-01-01Z' WHERE id = $1", [id]);
	await eventually(async () => expect(placementOf(one, id)?.want).toBe("purged"));
	one.report(placementOf(one, id) as DesiredPlacement, "purged");
	await eventually(async () => expect((await owner.get(`/api/v1/projects/${id}`)).status).toBe(404));
	await eventually(async () => expect(await unnamed([later.key])).toEqual([later.key]));
	expect(await unnamed([full.key, next.key, first.key])).toEqual([]);
	expect((await chainOf(made.id)).map(({ sequence }) => sequence)).toEqual([10, 20, 7]);
	// Nobody restores it by mistake, and the database itself refuses to break it.
	await expect(world.query("DELETE FROM checkpoints WHERE project_id = $1", [id])).rejects.toThrow(/foreign key/);
	await world.query("DELETE FROM projects WHERE id = $1", [made.id]);
	await eventually(async () => expect(await unnamed([full.key, next.key, first.key])).toHaveLength(3));
});

test("what builds on a checkpoint that is gone is not taken in: the node hears so, and stores it anew", async () => {
	const id = await makeOrigin("Orphaned");
	const full = checkpoint(id, 10);
	await report(one, full);
	const lost = { projectId: id, generation: 1, sequence: 15 };
	one.send({ type: "checkpoints", checkpoints: [checkpoint(id, 20, { parent: lost }), checkpoint(id, 25)] });
	await eventually(async () => expect(one.orphaned()).toContainEqual({ projectId: id, generation: 1, sequence: 20 }));
	expect((await chainOf(id)).map(({ sequence }) => sequence)).toEqual([25]);
});

test("a version is forked as it was, also after the project moved on", async () => {
	const id = await makeOrigin("Versions");
	const full = checkpoint(id, 10);
	const next = checkpoint(id, 20, { parent: parentOf(full) });
	await report(one, full, next);
	const made = await fork(id, { version: "1.10" });
	expect(await chainOf(made.id)).toEqual([full]);
	await eventually(async () => expect(placementOf(one, made.id)).toMatchObject({ stored: true }));
	expect(placementOf(one, made.id)).not.toHaveProperty("copyOf");
	expect((await owner.post(`/api/v1/projects/${id}/fork`, { version: "1.11" })).status).toBe(404);
	expect((await owner.post(`/api/v1/projects/${id}/fork`, { version: "one" })).status).toBe(400);
});

test("on another node only what is stored can be had: full or dead origin's nodes send forks elsewhere", async () => {
	const id = await makeOrigin("Elsewhere");
	await world.query("UPDATE nodes SET last_seen_at = now() - interval '1 minute' WHERE id = $1", [one.welcome.nodeId]);
	expect((await owner.post(`/api/v1/projects/${id}/fork`, {})).body.code).toBe("node_unreachable");
	await report(one, checkpoint(id, 10));
	await eventually(async () => expect(placementOf(one, id)?.want).toBe("running"));
	one.report(placementOf(one, id) as DesiredPlacement, "running");
	await eventually(async () => expect((await owner.get(`/api/v1/projects/${id}`)).body.state).toBe("running"));
	await world.query("UPDATE nodes SET slots = 1 WHERE id = $1", [one.welcome.nodeId]);
	const made = await fork(id);
	await eventually(async () => expect(placementOf(two, made.id)).toMatchObject({ stored: true }));
	expect(placementOf(two, made.id)).not.toHaveProperty("copyOf");
	await world.query("UPDATE nodes SET slots = 10 WHERE id = $1", [one.welcome.nodeId]);
});

/** Full, so that forks go to the other node; until the test is over. */
async function fillUp(node: FakeNode) {
	await world.query("UPDATE nodes SET slots = 1 WHERE id = $1", [node.welcome.nodeId]);
	onTestFinished(async () => {
		await world.query("UPDATE nodes SET slots = 10 WHERE id = $1", [node.welcome.nodeId]);
	});
}

/** An origin on the first node, which runs and has no room; the second instance of the site is a patient one. */
async function makeFullOrigin(name: string) {
	const id = await makeOrigin(name);
	await eventually(async () => expect(placementOf(one, id)?.want).toBe("running"));
	one.report(placementOf(one, id) as DesiredPlacement, "running");
	await eventually(async () => expect((await owner.get(`/api/v1/projects/${id}`)).body.state).toBe("running"));
	await fillUp(one);
	const patient = await world.startInstance({ REPLDOCK_FORK_PATIENCE: "30s" });
	return { id, client: owner.at(patient) };
}

const wantedOf = (id: string) => placementOf(one, id)?.checkpointWanted;

test("a fork elsewhere begins as the origin is now: its node stores it first, whichever instance hears of it", async () => {
	const { id, client } = await makeFullOrigin("Typed");
	const full = checkpoint(id, 10);
	await report(one, full);
	const forking = client.post(`/api/v1/projects/${id}/fork`, {});
	await eventually(async () => expect(wantedOf(id)).toBe(1));
	const latest = checkpoint(id, 20, { parent: parentOf(full) });
	await report(one, latest);
	one.send({ type: "checkpointAnswered", projectId: id, wanted: 1, upToDate: true });
	const placed = await two.waitFor((all) => all.some(({ beginsAs }) => beginsAs?.projectId === id));
	const made = placed.find(({ beginsAs }) => beginsAs?.projectId === id) as DesiredPlacement;
	expect(made).toMatchObject({ stored: true, beginsAs: parentOf(latest) });
	// Nor is the fork said to be made before the store tells of it.
	await report(two, checkpoint(made.projectId, 20, { parent: parentOf(latest), bytes: 0 }));
	expect(await forking).toMatchObject({ status: 201, body: { id: made.projectId, asOf: null } });
	expect((await chainOf(made.projectId)).map(({ sequence, bytes }) => [sequence, bytes])).toEqual([
		[10, 10],
		[20, 10],
		[20, 0],
	]);
	await eventually(async () => expect(placementOf(two, made.projectId)).not.toHaveProperty("beginsAs"));
	await report(two, checkpoint(made.projectId, 21, { parent: parentOf(latest) }));
	expect((await chainOf(made.projectId)).map(({ sequence }) => sequence)).toEqual([10, 20, 21]);
	await world.query("DELETE FROM projects WHERE id = $1", [made.projectId]);
});

test("a fork of what its node cannot store, or does not answer for, says of when it is", async () => {
	const { id, client } = await makeFullOrigin("Dated");
	const full = checkpoint(id, 10, { takenAt: "2026-05-04T14:03:22.000Z" });
	await report(one, full);
	const forking = client.post(`/api/v1/projects/${id}/fork`, {});
	await eventually(async () => expect(wantedOf(id)).toBe(1));
	one.send({ type: "checkpointAnswered", projectId: id, wanted: 1, upToDate: false });
	const placed = await two.waitFor((all) => all.some(({ beginsAs }) => beginsAs?.projectId === id));
	const made = placed.find(({ beginsAs }) => beginsAs?.projectId === id) as DesiredPlacement;
	await report(two, checkpoint(made.projectId, 10, { parent: parentOf(full), bytes: 0 }));
	expect((await forking).body).toMatchObject({ asOf: full.takenAt });
	// Nobody answers.
	const silent = await fork(id);
	expect(silent).toMatchObject({ asOf: full.takenAt });
	// An answer to an earlier wish is none, nor is one of a node that has lost the project.
	expect(wantedOf(id)).toBe(2);
	two.send({ type: "checkpointAnswered", projectId: id, wanted: 2, upToDate: true });
	one.send({ type: "checkpointAnswered", projectId: id, wanted: 1, upToDate: true });
	await report(one, checkpoint(id, 11));
	const [row] = await world.query(
		"SELECT checkpoint_answered, checkpoint_up_to_date FROM placements WHERE project_id = $1",
		[id],
	);
	expect(row).toEqual({ checkpoint_answered: 1, checkpoint_up_to_date: false });
	await world.query("DELETE FROM projects WHERE id IN ($1, $2)", [made.projectId, silent.id]);
});

test("what nobody has opened yet is forked as its template", async () => {
	const { id } = (await owner.post("/api/v1/projects", { template: "python", name: "Untouched" })).body;
	const made = await fork(id);
	const placed = () => placementOf(one, made.id) ?? placementOf(two, made.id);
	await eventually(async () => expect(placed()).toMatchObject({ stored: false, template: "python" }));
	expect(placed()).not.toHaveProperty("copyOf");
});

test("an administrator's restriction is not shaken off by forking; grants, domains and an owner's list are not had by it", async () => {
	const id = await makeOrigin("Restricted", "public");
	const restriction = { kind: "closed", bitsPerSecond: null, reason: "Scanned other machines." };
	await world.query(
		`UPDATE projects SET network_restriction = $2, network_restricted_at = now(), network_mode = 'allow-list',
			allowed_domains = '{inside.example}', always_on = true, disk_bytes = disk_bytes * 10 WHERE id = $1`,
		[id, JSON.stringify(restriction)],
	);
	await world.query("INSERT INTO domains (project_id, name, token) VALUES ($1, 'fork.example.com', 'x')", [id]);
	const settings = async (forkId: string) =>
		(
			await world.query(
				`SELECT network_mode, allowed_domains, network_restriction, always_on, disk_bytes,
					(SELECT count(*) FROM domains WHERE project_id = projects.id) AS domains FROM projects WHERE id = $1`,
				[forkId],
			)
		)[0];
	const theirs = await settings((await fork(id, {}, other)).id);
	expect(theirs).toMatchObject({ network_mode: "allow-list", network_restriction: restriction, always_on: false });
	expect(theirs).toMatchObject({ allowed_domains: [], domains: "0" });
	expect(theirs?.disk_bytes).not.toEqual((await settings(id))?.disk_bytes);
	expect(await settings((await fork(id)).id)).toMatchObject({ allowed_domains: ["inside.example"] });
});
