import type { ManifestAnswer, ScrubAnswer, ScrubQuestion } from "@repldock/protocol";
import { manifestsPath, scrubPath, unnamedObjectsPath } from "@repldock/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
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
let one: FakeNode;

beforeAll(async () => {
	world = await createWorld({ REPLDOCK_JANITOR_INTERVAL: "100ms" });
	instance = await world.startInstance();
	owner = await instance.signedUp("Owner");
	one = await dialIn(world, instance, "one");
});
afterAll(() => world?.stop());

/** On the first node, whichever others there are. */
async function makeProject(name: string): Promise<string> {
	const { id } = (await owner.post("/api/v1/projects", { template: "python", name })).body;
	await world.query("UPDATE placements SET node_id = $2 WHERE project_id = $1", [id, one.welcome.nodeId]);
	return id;
}

async function ask<T>(path: string, question: object, token?: string): Promise<{ status: number; body: T }> {
	const response = await fetch(instance.url + path, {
		method: "POST",
		headers: { authorization: `Bearer ${token ?? (await nodeToken(world))}` },
		body: JSON.stringify(question),
	});
	return { status: response.status, body: (await response.json()) as T };
}

const chainOf = async (projectId: string, version?: { generation: number; sequence: number }) =>
	(await ask<ManifestAnswer>(manifestsPath, { projectId, version })).body.chain;

test("the owner of the generation moves the present state forward, never back; repeating a report is harmless", async () => {
	const id = await makeProject("Forward");
	expect(await chainOf(id)).toEqual([]);
	const full = checkpoint(id, 10);
	const next = checkpoint(id, 20, {
		parent: { projectId: id, generation: 1, sequence: 10 },
		kind: "named",
		name: "v1",
	});
	await report(one, full, next, full);
	expect(await chainOf(id)).toEqual([full, next]);
	expect(await chainOf(id, { generation: 1, sequence: 10 })).toEqual([full]);
	await report(one, checkpoint(id, 15));
	expect(await chainOf(id)).toEqual([full, next]);
});

test("a node is told at once which projects are in the object store, so that it never seeds them anew", async () => {
	const id = await makeProject("Stored");
	const placement = (node: FakeNode) => node.desired().find(({ projectId }) => projectId === id);
	await eventually(async () => expect(placement(one)?.stored).toBe(false));
	await report(one, checkpoint(id, 10));
	// Sooner than the next look at everything, which is every ten seconds.
	await eventually(async () => expect(placement(one)).toMatchObject({ stored: true }), 5_000);
});

test("a node that lost the project changes nothing: what it had is kept as a recovered version", async () => {
	const id = await makeProject("Moved");
	const full = checkpoint(id, 10);
	await report(one, full);
	await world.query("UPDATE placements SET generation = 2 WHERE project_id = $1", [id]);
	const late = checkpoint(id, 99, { parent: { projectId: id, generation: 1, sequence: 10 } });
	await report(one, late);
	expect(await chainOf(id)).toEqual([full]);
	expect(await chainOf(id, { generation: 1, sequence: 99 })).toEqual([full, late]);
	const [row] = await world.query("SELECT recovered FROM checkpoints WHERE project_id = $1 AND sequence = 99", [id]);
	expect(row).toEqual({ recovered: true });
	const successor = checkpoint(id, 5, { generation: 2 });
	await report(one, successor);
	expect(await chainOf(id)).toEqual([successor]);
});

test("objects that a manifest names are never called unnamed; those of projects that are gone are", async () => {
	const id = await makeProject("Named");
	const full = checkpoint(id, 10);
	await report(one, full);
	const question = { keys: [full.key, "packs/x/1"] };
	expect((await ask(unnamedObjectsPath, question)).body).toMatchObject({ unnamed: ["packs/x/1"] });
	await world.query("DELETE FROM projects WHERE id = $1", [id]);
	await eventually(async () => {
		expect((await ask(unnamedObjectsPath, question)).body).toMatchObject({ unnamed: question.keys });
	});
	// Reported by a node that does not know yet: nothing to keep, and nothing to say again.
	await report(one, checkpoint(id, 11));
});

test("nobody but a node learns where files are", async () => {
	const id = await makeProject("Secret");
	expect((await ask(manifestsPath, { projectId: id }, "wrong")).status).toBe(403);
	expect((await ask(unnamedObjectsPath, { keys: [] }, "wrong")).status).toBe(403);
});

test("old versions are thinned to one an hour and one a day; named ones stay, and what a kept one builds on", async () => {
	const id = await makeProject("Old");
	const hourMs = 3_600_000;
	const noonMs = Math.floor(Date.now() / (24 * hourMs)) * 24 * hourMs;
	const at = (ms: number) => new Date(ms).toISOString();
	const parent = (sequence: number) => ({ projectId: id, generation: 1, sequence });
	// Two days ago, within one hour; then within one hour of yesterday; last, the present state.
	const early = noonMs - 40 * hourMs;
	await report(
		one,
		checkpoint(id, 1, { takenAt: at(early) }),
		checkpoint(id, 2, { takenAt: at(early + 60_000), kind: "named", name: "mine" }),
		checkpoint(id, 3, { takenAt: at(early + 120_000), parent: parent(1) }),
		checkpoint(id, 4, { takenAt: at(early + 180_000), parent: parent(3) }),
		checkpoint(id, 5, { takenAt: at(early + 150_000) }),
		checkpoint(id, 6, { takenAt: at(noonMs - 400 * 24 * hourMs) }),
		checkpoint(id, 7),
	);
	const left = async () =>
		(await world.query("SELECT sequence FROM checkpoints WHERE project_id = $1 ORDER BY sequence", [id])).map(
			({ sequence }) => Number(sequence),
		);
	expect(await left()).toEqual([1, 2, 3, 4, 5, 6, 7]);
	await world.query("UPDATE checkpoints SET recorded_at = now() - interval '2 hours' WHERE project_id = $1", [id]);
	await eventually(async () => expect(await left()).toEqual([1, 2, 3, 4, 7]));
});

test("a node is given each object of its projects once a period, evenly; what it finds is kept until it is well again", async () => {
	await world.query("DELETE FROM projects");
	const [mine, placedElsewhere] = [await makeProject("Scrubbed"), await makeProject("Elsewhere")];
	const periodMs = 1_000_000;
	await report(
		one,
		checkpoint(mine, 1, { key: "packs/a/1", bytes: 100 }),
		checkpoint(mine, 2, { key: "packs/a/1", start: 100, bytes: 100 }),
		checkpoint(mine, 3, { key: "packs/b/1", bytes: 200 }),
		checkpoint(placedElsewhere, 1, { key: "packs/c/1" }),
	);
	const two = await dialIn(world, instance, "two");
	await world.query("UPDATE placements SET node_id = $1 WHERE project_id = $2", [two.welcome.nodeId, placedElsewhere]);
	const { nodeId } = one.welcome;
	const next = async (done: ScrubQuestion["done"]) =>
		(await ask<ScrubAnswer>(scrubPath, { nodeId, periodMs, done } satisfies ScrubQuestion)).body;
	const damaged = async () =>
		(await world.query("SELECT sequence::int FROM damaged_checkpoints ORDER BY sequence")).map((row) => row.sequence);

	const first = await next(null);
	expect(first.checkpoints).toMatchObject([{ sequence: 1 }, { sequence: 2 }]);
	expect(first.waitMs).toBe(0);
	expect((await next(null)).checkpoints).toEqual(first.checkpoints);
	const bad = { projectId: mine, generation: 1, sequence: 2 };
	const finding = { checkpoint: bad, problem: "damaged" as const, detail: "Its SHA-256 is another one." };
	const second = await next({ key: "packs/a/1", findings: [finding] });
	expect(second.checkpoints).toMatchObject([{ sequence: 3 }]);
	expect(second.waitMs).toBeGreaterThan(0.4 * periodMs);
	expect(second.waitMs).toBeLessThanOrEqual(0.5 * periodMs);
	expect(await damaged()).toEqual([2]);
	// What the project is now builds on none of it.
	expect(second.storeAnew).toEqual([]);
	// The round is over, and the next one begins when this one's period ends.
	expect((await next({ key: "packs/b/1", findings: [] })).checkpoints).toEqual([]);
	const again = await next(null);
	expect(again.checkpoints).toEqual(first.checkpoints);
	expect(again.waitMs).toBeGreaterThan(0.9 * periodMs);
	await next({ key: "packs/a/1", findings: [] });
	expect(await damaged()).toEqual([]);
});

test("what builds on a checkpoint that could not be recorded is not recorded either, so that no chain is without its beginning", async () => {
	const id = await makeProject("Broken");
	await world.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN IF NEW.sequence = 10 THEN RAISE 'the disk is full'; END IF; RETURN NEW; END$$`);
	await world.query("CREATE TRIGGER refuse BEFORE INSERT ON checkpoints FOR EACH ROW EXECUTE FUNCTION refuse()");
	const node = await dialIn(world, instance, "unlucky");
	const full = checkpoint(id, 10);
	const next = checkpoint(id, 20, { parent: { projectId: id, generation: 1, sequence: 10 } });
	for (const one of [full, next]) node.send({ type: "checkpoints", checkpoints: [one] });
	expect(await node.closed).toBe(1011);
	expect(node.recorded()).toEqual([]);
	await world.query("DROP TRIGGER refuse ON checkpoints");
	expect(await world.query("SELECT sequence FROM checkpoints WHERE project_id = $1", [id])).toEqual([]);
	await report(one, full, next);
	expect(await chainOf(id)).toEqual([full, next]);
});
