import { randomUUID } from "node:crypto";
import type { DesiredPlacement } from "@repldock/protocol";
import { decodeJwt } from "jose";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { checkpoint, report } from "./support/checkpoints.ts";
import type { Client } from "./support/client.ts";
import { eventually } from "./support/eventually.ts";
import { dialIn, type FakeNode } from "./support/fake-node.ts";
import { createWorld, type Instance, type World } from "./support/site.ts";

// Passwords are hashed slowly on purpose, and test files share few cores.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const shared = randomUUID();
const machines = { one: randomUUID(), two: randomUUID() };
let world: World;
let instance: Instance;
let owner: Client;
const nodes = new Set<FakeNode>();

beforeAll(async () => {
	world = await createWorld({ REPLDOCK_JANITOR_INTERVAL: "100ms", REPLDOCK_NODE_GONE_AFTER: "5m" });
	instance = await world.startInstance();
	owner = await instance.signedUp("Owner");
});
afterAll(() => world?.stop());
afterEach(async () => {
	for (const node of nodes) await node.close();
	nodes.clear();
	await world.query("DELETE FROM projects");
	await world.query("DELETE FROM nodes");
});

async function dial(name: string, identity: { machineId?: string; storeId?: string } = {}): Promise<FakeNode> {
	const known = { machineId: name === "one" ? machines.one : machines.two, storeId: shared };
	const node = await dialIn(world, instance, name, [], "", { ...known, ...identity });
	nodes.add(node);
	return node;
}

/** It says nothing any more, since so long. */
async function silence(node: FakeNode, since: string): Promise<void> {
	await node.close();
	nodes.delete(node);
	const change = "UPDATE nodes SET last_seen_at = now() - $2::interval WHERE id = $1";
	await world.query(change, [node.welcome.nodeId, since]);
}

async function makeProject(): Promise<string> {
	const { status, body } = await owner.post("/api/v1/projects", { template: "python", name: `p-${randomUUID()}` });
	expect(status).toBe(201);
	return (body as { id: string }).id;
}

const open = (id: string) => owner.post(`/api/v1/projects/${id}/ticket`);
const told = (node: FakeNode, id: string) => node.desired().find(({ projectId }) => projectId === id);
const placementOf = async (id: string) =>
	(await world.query("SELECT node_id, generation FROM placements WHERE project_id = $1", [id]))[0];

/** Waits until a node is told this of a project. */
async function tells(node: FakeNode, id: string, what: Partial<DesiredPlacement>): Promise<DesiredPlacement> {
	await eventually(async () => expect(told(node, id)).toMatchObject(what));
	return told(node, id) as DesiredPlacement;
}

test("a project whose server is gone opens on another one, and the first lets go of it when it is back", async () => {
	const one = await dial("one");
	const id = await makeProject();
	await report(one, checkpoint(id, 10));
	const two = await dial("two");
	await silence(one, "1 minute");
	// It may only be starting anew.
	expect((await open(id)).body).toMatchObject({ code: "node_unreachable" });
	await silence(one, "6 minutes");
	const { status, body } = await open(id);
	expect(status).toBe(200);
	expect(decodeJwt((body as { ticket: string }).ticket)).toMatchObject({ aud: two.welcome.nodeId });
	await tells(two, id, { generation: 2, want: "running", stored: true });

	const back = await dial("one");
	const leaving = await tells(back, id, { generation: 1, want: "left" });
	await report(back, checkpoint(id, 20, { parent: { projectId: id, generation: 1, sequence: 10 } }));
	const versions = await world.query("SELECT sequence, recovered FROM checkpoints ORDER BY sequence");
	expect(versions.map(({ recovered }) => recovered)).toEqual([false, true]);
	// What it says of the project's container concerns nobody any more.
	back.report(leaving, "running");
	back.report({ ...leaving, generation: 2 }, "left");
	back.report(leaving, "left");
	await eventually(async () => expect(told(back, id)).toBeUndefined());
	expect(await placementOf(id)).toEqual({ node_id: two.welcome.nodeId, generation: 2 });
});

test("a project returns to a server that has not yet let go of it", async () => {
	const one = await dial("one");
	const id = await makeProject();
	await report(one, checkpoint(id, 10));
	const two = await dial("two");
	await silence(one, "6 minutes");
	expect((await open(id)).status).toBe(200);
	await report(two, checkpoint(id, 30, { generation: 2 }));
	const back = await dial("one");
	await tells(back, id, { want: "left" });
	await silence(two, "6 minutes");
	expect((await open(id)).status).toBe(200);
	await tells(back, id, { generation: 3, want: "running" });
	expect(back.desired().filter(({ projectId }) => projectId === id)).toHaveLength(1);
	const again = await dial("two");
	await tells(again, id, { generation: 2, want: "left" });
});

test("a project stays where it is while nothing of it is stored, or no other server reads the same store", async () => {
	const one = await dial("one");
	const stored = await makeProject();
	const fresh = await makeProject();
	await report(one, checkpoint(stored, 10));
	const stranger = await dial("two", { storeId: randomUUID() });
	await silence(one, "1 hour");
	expect((await open(stored)).body).toMatchObject({ code: "node_unreachable" });
	await stranger.close();
	await dial("two");
	expect((await open(fresh)).body).toMatchObject({ code: "node_unreachable" });
	expect((await open(stored)).status).toBe(200);
});

test("what is always on goes to another server by itself, and of many who open one project at once one moves it", async () => {
	const one = await dial("one");
	const id = await makeProject();
	await report(one, checkpoint(id, 10));
	expect((await open(id)).status).toBe(200);
	await world.query("UPDATE projects SET always_on = true WHERE id = $1", [id]);
	const other = await makeProject();
	await report(one, checkpoint(other, 10));
	const two = await dial("two");
	await silence(one, "6 minutes");
	await tells(two, id, { generation: 2, want: "running" });
	expect(told(two, other)).toBeUndefined();
	await Promise.all(Array.from({ length: 8 }, () => open(other)));
	expect(await placementOf(other)).toEqual({ node_id: two.welcome.nodeId, generation: 2 });
});

test("another machine under the name of a server is refused while that one is there, and holds its projects anew afterwards", async () => {
	const one = await dial("one");
	const id = await makeProject();
	await tells(one, id, { generation: 1 });
	await expect(dial("one", { machineId: machines.two })).rejects.toThrow("4002");
	await silence(one, "1 minute");
	const replacement = await dial("one", { machineId: machines.two });
	expect(replacement.welcome.nodeId).toBe(one.welcome.nodeId);
	await tells(replacement, id, { generation: 2 });
	await silence(replacement, "1 minute");
	// The same one again: nothing changes. The first one again: its own generation is long past.
	const same = await dial("one", { machineId: machines.two });
	await tells(same, id, { generation: 2 });
	await silence(same, "1 minute");
	const first = await dial("one");
	await tells(first, id, { generation: 3 });
});
