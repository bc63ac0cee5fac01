import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ObjectStoreError } from "@repldock/objects";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { readCheckpoints, writeCheckpoints } from "../../src/checkpoints/state-file.ts";
import { findLeftovers } from "../host/machine.ts";
import { type CheckpointNode, type Cluster, startCluster } from "./rig.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let cluster: Cluster;
let node: CheckpointNode;

beforeAll(async () => {
	cluster = await startCluster();
	node = await cluster.startNode("one");
});
beforeEach(() => cluster.breakStore());
afterAll(async () => {
	await cluster.release();
	expect(await findLeftovers(cluster.directory)).toEqual([]);
});

const problem = "The object store refused.";
const refusing = {
	put: async () => {
		throw new ObjectStoreError("refused", problem);
	},
};
const allDurable = { volumes: 0, waitedMs: 0, storeFailure: null };
const stateFile = () => join(cluster.directory, "one.json");
const written = () => readCheckpoints(stateFile());

async function makeProject() {
	const { projectId, limits } = cluster.place();
	await node.volumes.create(projectId, cluster.template, limits.diskBytes);
	return { id: projectId, file: join(node.volumes.path(projectId), "main.py") };
}

test("a project that was never durable counts from its first change, over restarts of the agent, until it is stored", async () => {
	const { id } = await makeProject();
	cluster.breakStore(refusing);
	const beforeMs = Date.now();
	await node.checkpoints.round();
	const since = (await written()).behind[id] ?? "";
	// No round before it: since this one.
	expect(Date.parse(since)).toBeGreaterThanOrEqual(beforeMs);
	expect((await written()).storeFailure).toMatchObject({ problem });
	await node.restart();
	expect((await written()).behind[id]).toBe(since);
	await node.checkpoints.round();
	expect((await written()).behind).toEqual({ [id]: since });
	const lag = node.checkpoints.lag();
	expect(lag).toMatchObject({ volumes: 1, storeFailure: { problem } });
	expect(lag.waitedMs).toBeGreaterThanOrEqual(Date.now() - Date.parse(since) - 1000);
	cluster.breakStore();
	await node.checkpoints.round();
	expect(node.checkpoints.lag()).toEqual(allDurable);
	expect(await written()).toMatchObject({ behind: {}, storeFailure: null });
});

test("a change counts from the look before it was found, however long the project was left alone", async () => {
	const { id, file } = await makeProject();
	await node.checkpoints.round();
	vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
	try {
		await node.checkpoints.round();
		const lookedAtMs = Date.now();
		vi.setSystemTime(lookedAtMs + 5_000);
		await writeFile(file, "changed");
		cluster.breakStore(refusing);
		await node.checkpoints.round();
		expect((await written()).behind[id]).toBe(new Date(lookedAtMs).toISOString());
		expect(node.checkpoints.lag().waitedMs).toBe(5_000);
	} finally {
		vi.useRealTimers();
	}
	// The clock was set back: it waits from now on, and not less than nothing.
	await node.checkpoints.round();
	expect(Date.parse((await written()).behind[id] ?? "")).toBeLessThanOrEqual(Date.now());
	cluster.breakStore();
	await node.checkpoints.round();
	expect(node.checkpoints.lag()).toEqual(allDurable);
});

test("what changes while a round stores what was before counts from that round on", async () => {
	const { id, file } = await makeProject();
	let takenAtMs = 0;
	cluster.breakStore({
		async put(key, body, options) {
			takenAtMs = Date.now();
			await writeFile(file, "later");
			return cluster.store.put(key, body, options);
		},
	});
	await node.checkpoints.round();
	expect(node.checkpoints.lag()).toEqual(allDurable);
	cluster.breakStore(refusing);
	await node.checkpoints.round();
	expect(Date.parse((await written()).behind[id] ?? "")).toBeLessThanOrEqual(takenAtMs);
	cluster.breakStore();
	await node.checkpoints.round();
});

test("a store that takes the bytes and never answers is told with the next tick", async () => {
	const { id } = await makeProject();
	const answer = Promise.withResolvers<void>();
	const asked = Promise.withResolvers<void>();
	// Whatever fails: the agent waits for it when it ends.
	onTestFinished(() => answer.resolve());
	cluster.breakStore({
		async put(key, body, options) {
			asked.resolve();
			await answer.promise;
			return cluster.store.put(key, body, options);
		},
	});
	const hanging = node.checkpoints.round();
	await asked.promise;
	expect((await written()).behind).toEqual({});
	const tick = node.checkpoints.round();
	await expect.poll(async () => Object.keys((await written()).behind)).toEqual([id]);
	answer.resolve();
	await Promise.all([hanging, tick]);
	expect((await written()).behind).toEqual({});
});

test("volumes that are not this node's to store, and those that are gone, are not behind", async () => {
	const [foreign, gone] = [await makeProject(), await makeProject()];
	cluster.placements.delete(foreign.id);
	cluster.breakStore(refusing);
	await node.checkpoints.round();
	expect(Object.keys((await written()).behind)).toEqual([gone.id]);
	await node.volumes.remove(gone.id);
	await node.checkpoints.forget(gone.id);
	expect(node.checkpoints.lag().volumes).toBe(0);
	await node.volumes.remove(foreign.id);
});

test("a state file from before is read: nothing is known to be behind", async () => {
	const file = join(cluster.directory, "older.json");
	await writeFile(file, JSON.stringify({ durable: {}, unreported: [] }));
	const read = await readCheckpoints(file);
	expect(read).toEqual({ durable: {}, held: {}, unreported: [], behind: {}, storeFailure: null });
	const behind = { [cluster.place().projectId]: "2026-03-01T12:00:00.000Z" };
	const told = { ...read, behind, storeFailure: { at: "2026-03-01T12:01:00.000Z", problem } };
	await writeCheckpoints(file, told);
	expect(await readCheckpoints(file)).toEqual(told);
});
