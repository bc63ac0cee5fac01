import { type Checkpoint, type ScrubAnswer, type ScrubQuestion, scrubPath } from "@repldock/protocol";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
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
let two: FakeNode;
let gone: FakeNode;

const periodMs = 1_000_000;

beforeAll(async () => {
	world = await createWorld({ REPLDOCK_JANITOR_INTERVAL: "100ms" });
	instance = await world.startInstance();
	owner = await instance.signedUp("Owner");
	one = await dialIn(world, instance, "one");
	two = await dialIn(world, instance, "two");
	gone = await dialIn(world, instance, "gone");
});
afterAll(() => world?.stop());
beforeEach(() => world.query("DELETE FROM projects; DELETE FROM scrubs"));

async function makeProject(node: FakeNode): Promise<string> {
	const { id } = (await owner.post("/api/v1/projects", { template: "python", name: "Scrubbed" })).body;
	await world.query("UPDATE placements SET node_id = $2 WHERE project_id = $1", [id, node.welcome.nodeId]);
	return id;
}

async function next(node: FakeNode, done: ScrubQuestion["done"] = null): Promise<ScrubAnswer> {
	const { nodeId } = node.welcome;
	const response = await fetch(instance.url + scrubPath, {
		method: "POST",
		headers: { authorization: `Bearer ${await nodeToken(world)}` },
		body: JSON.stringify({ nodeId, periodMs, done } satisfies ScrubQuestion),
	});
	expect(response.status).toBe(200);
	return (await response.json()) as ScrubAnswer;
}

/** All keys that a node is given in one round. */
async function round(node: FakeNode): Promise<string[]> {
	const keys: string[] = [];
	for (let done: ScrubQuestion["done"] = null; ; ) {
		const [first]: Checkpoint[] = (await next(node, done)).checkpoints;
		if (!first) return keys;
		keys.push(first.key);
		done = { key: first.key, findings: [] };
	}
}

test("the objects of a node that is gone are read by those that live, each by one of them", async () => {
	const [mine, lost] = [await makeProject(one), await makeProject(gone)];
	await report(one, checkpoint(mine, 1, { key: "packs/one/1" }));
	const keys = Array.from({ length: 40 }, (_, at) => `packs/gone/${at}`);
	await report(gone, ...keys.map((key, at) => checkpoint(lost, at + 1, { key })));
	expect(await round(one)).toEqual(["packs/one/1"]);
	expect(await round(two)).toEqual([]);

	await gone.close();
	await world.query("UPDATE nodes SET last_seen_at = now() - interval '1 hour' WHERE name = 'gone'");
	const [byOne, byTwo] = [await round(one), await round(two)];
	expect(byOne).toContain("packs/one/1");
	expect([...byOne, ...byTwo].sort()).toEqual([...keys, "packs/one/1"].sort());
	expect(byTwo.length).toBeGreaterThan(5);
	expect(byOne.length).toBeGreaterThan(5);
	gone = await dialIn(world, instance, "gone");
	expect(await round(two)).toEqual([]);
});

test("a node is told which of its projects are to be stored anew, whoever found the damage, until they are", async () => {
	const [id, other] = [await makeProject(one), await makeProject(one)];
	const parent = { projectId: id, generation: 1, sequence: 1 };
	await report(one, checkpoint(id, 1), checkpoint(id, 2, { parent }), checkpoint(other, 1));
	const fork = await makeProject(two);
	await world.query(
		"INSERT INTO durable_checkpoints (project_id, checkpoint_project_id, generation, sequence) VALUES ($1, $2, 1, 2)",
		[fork, id],
	);
	expect((await next(one)).storeAnew).toEqual([]);
	const findings = [{ checkpoint: parent, problem: "missing" as const, detail: "The store has no such object." }];
	await next(two, { key: checkpoint(id, 1).key, findings });
	expect((await next(one)).storeAnew).toEqual([id]);
	expect((await next(two)).storeAnew).toEqual([fork]);

	await report(one, checkpoint(id, 3));
	await eventually(async () => expect((await next(one)).storeAnew).toEqual([]));
	await report(two, checkpoint(fork, 4));
	await eventually(async () => expect((await next(two)).storeAnew).toEqual([]));
});

test("a round that ended while the clock was ahead holds the next one up for no longer than its period", async () => {
	const id = await makeProject(one);
	await report(one, checkpoint(id, 1, { bytes: 100 }));
	await next(one);
	await world.query("UPDATE scrubs SET round_began_at = now() + interval '400 days'");
	const { waitMs } = await next(one);
	expect(waitMs).toBeLessThanOrEqual(periodMs);
	expect(waitMs).toBeGreaterThan(0.9 * periodMs);
	const ahead = await world.query("SELECT FROM scrubs WHERE round_began_at > now() + interval '1 hour'");
	expect(ahead).toEqual([]);
});
