import { randomBytes } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readIndex } from "@repldock/objects";
import { type Checkpoint, PackEntry } from "@repldock/protocol";
import { runCommand } from "@repldock/service";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { findLeftovers } from "../host/machine.ts";
import { type CheckpointNode, type Cluster, namesIn, startCluster } from "./rig.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const megabyte = 1024 * 1024;
let cluster: Cluster;
let one: CheckpointNode;
let two: CheckpointNode;

beforeAll(async () => {
	cluster = await startCluster();
	one = await cluster.startNode("one");
	two = await cluster.startNode("two", { uid: 400_000, gid: 400_001 });
});
beforeEach(() => {
	cluster.site.down = false;
});
afterAll(async () => {
	await cluster.release();
	expect(await findLeftovers(cluster.directory)).toEqual([]);
});

/** A project with a file that is worth not storing twice. */
async function makeProject() {
	const placement = cluster.place();
	const { projectId: id } = placement;
	await one.volumes.create(id, cluster.template, placement.limits.diskBytes);
	const path = one.volumes.path(id);
	const large = randomBytes(3 * megabyte);
	await writeFile(join(path, "large"), large);
	return { placement, id, path, large };
}

const snapshotsOf = (node: CheckpointNode, id: string) => namesIn(join(node.snapshots.path(id, "1.1"), ".."));

async function stored(): Promise<number> {
	let bytes = 0;
	for await (const object of cluster.store.list("")) bytes += object.bytes;
	return bytes;
}

test("a fork on its origin's node has all files at once, those just typed too, a quota of its own, and goes its own way", async () => {
	const { id, path, large } = await makeProject();
	await one.checkpoints.round();
	cluster.typing.set(id, () => writeFile(join(path, "typed"), "just now").then(() => true));
	const fork = cluster.placeFork(id, { limits: { memoryBytes: 1, cpus: 1, pids: 8, diskBytes: 90 * megabyte } });
	await one.checkpoints.restore(fork);
	const copy = one.volumes.path(fork.projectId);
	expect(await readFile(join(copy, "typed"), "utf8")).toBe("just now");
	expect((await readFile(join(copy, "large"))).equals(large)).toBe(true);
	expect((await one.volumes.usage(fork.projectId)).limitBytes).toBe(90 * megabyte);
	expect(one.checkpoints.durability(fork.projectId).upTo).toBeNull();
	await writeFile(join(copy, "main.py"), "the fork's");
	await writeFile(join(path, "main.py"), "the origin's");
	expect(await readFile(join(copy, "main.py"), "utf8")).toBe("the fork's");
	// Repeated, as the site and the page do: nothing of the fork is lost.
	await one.checkpoints.restore(fork);
	expect(await readFile(join(copy, "main.py"), "utf8")).toBe("the fork's");
});

test("what a fork shares with its origin is not stored again: its first checkpoint builds on the origin's", async () => {
	const { id, large } = await makeProject();
	await one.checkpoints.round();
	const fork = cluster.placeFork(id);
	await one.checkpoints.restore(fork);
	await writeFile(join(one.volumes.path(fork.projectId), "mine"), "mine");
	const before = await stored();
	await one.checkpoints.round();
	const chain = cluster.chainOf(fork.projectId);
	expect(chain.map(({ projectId }) => projectId)).toEqual([id, fork.projectId]);
	expect((await stored()) - before).toBeLessThan(megabyte / 10);
	expect(one.checkpoints.durability(fork.projectId).upTo).not.toBeNull();
	await two.checkpoints.restore(cluster.place({ ...fork, generation: 2, stored: true }));
	const restored = two.volumes.path(fork.projectId);
	expect((await readFile(join(restored, "large"))).equals(large)).toBe(true);
	expect(await readFile(join(restored, "mine"), "utf8")).toBe("mine");
});

test("nor is it when the origin's chain has grown so heavy that its next checkpoint will be a full one", async () => {
	const { projectId: id, limits } = cluster.place();
	await one.volumes.create(id, cluster.template, limits.diskBytes);
	await one.checkpoints.round();
	await writeFile(join(one.volumes.path(id), "large"), randomBytes(3 * megabyte));
	await one.checkpoints.round();
	const fork = cluster.placeFork(id);
	await one.checkpoints.restore(fork);
	const before = await stored();
	await one.checkpoints.round();
	expect(cluster.chainOf(fork.projectId).map(({ projectId }) => projectId)).toEqual([id, id, fork.projectId]);
	expect((await stored()) - before).toBeLessThan(megabyte / 10);
});

test("a fork of what was never made durable is stored whole", async () => {
	const { id } = await makeProject();
	const fork = cluster.placeFork(id);
	await one.checkpoints.restore(fork);
	await one.checkpoints.round();
	expect(cluster.chainOf(fork.projectId)).toMatchObject([{ projectId: fork.projectId, parent: null }]);
});

test("the origin may go on, and be gone for good, before the fork has a checkpoint of its own", async () => {
	const { id, path, large } = await makeProject();
	await one.checkpoints.round();
	const fork = cluster.placeFork(id);
	await one.checkpoints.restore(fork);
	const base = cluster.chainOf(id).at(-1);
	cluster.breakStore({ put: () => Promise.reject(new Error("no")) });
	await one.checkpoints.round();
	cluster.breakStore();
	await rm(join(path, "large"));
	// The store has the origin's next one, and refuses the fork's.
	cluster.placements.delete(fork.projectId);
	await one.checkpoints.save(id, "change");
	cluster.placements.set(fork.projectId, fork);
	cluster.place({ ...(cluster.placements.get(id) as typeof fork), want: "purged" });
	await one.checkpoints.forget(id);
	await one.volumes.remove(id);
	await one.restart();
	await one.checkpoints.round();
	expect(cluster.chainOf(fork.projectId).at(-1)?.parent).toMatchObject({ projectId: id, sequence: base?.sequence });
	await two.checkpoints.restore(cluster.place({ ...fork, generation: 2, stored: true }));
	expect((await readFile(join(two.volumes.path(fork.projectId), "large"))).equals(large)).toBe(true);
	// With the fork the last snapshot that it stands on goes.
	await one.checkpoints.forget(fork.projectId);
	expect(await snapshotsOf(one, id)).toEqual([]);
	expect(await snapshotsOf(one, fork.projectId)).toEqual([]);
});

test("on another node a fork is made of the origin's objects, and only what changes is stored; the next fork there fetches nothing", async () => {
	const { id, large } = await makeProject();
	await one.checkpoints.round();
	const fork = cluster.placeFork(id);
	await two.checkpoints.restore(fork);
	const copy = two.volumes.path(fork.projectId);
	expect((await readFile(join(copy, "large"))).equals(large)).toBe(true);
	await writeFile(join(copy, "mine"), "mine");
	const second = cluster.placeFork(id);
	cluster.breakStore({ get: () => Promise.reject(new Error("nothing need be fetched")) });
	await two.checkpoints.restore(second);
	cluster.breakStore();
	expect((await readFile(join(two.volumes.path(second.projectId), "large"))).equals(large)).toBe(true);
	const before = await stored();
	await two.checkpoints.round();
	expect((await stored()) - before).toBeLessThan(megabyte / 10);
	expect(cluster.chainOf(fork.projectId).map(({ projectId }) => projectId)).toEqual([id, fork.projectId]);
});

test("forks take no room for what they share with their origin", async () => {
	const { id, path } = await makeProject();
	await writeFile(join(path, "large"), randomBytes(8 * megabyte));
	await one.checkpoints.round();
	for (let at = 0; at < 3; at += 1) {
		const fork = cluster.placeFork(id);
		await one.checkpoints.restore(fork);
		const [, used] = (
			await runCommand("btrfs", ["filesystem", "du", "--raw", "--summarize", one.volumes.path(fork.projectId)])
		).split("\n");
		const [total = 0, exclusive = 0] = used?.trim().split(/\s+/).map(Number) ?? [];
		expect(total).toBeGreaterThanOrEqual(8 * megabyte);
		expect(exclusive).toBe(0);
	}
});

test("what was durable is restored, never put behind the template, though the site was not told of it yet", async () => {
	const { placement, id, path } = await makeProject();
	cluster.site.down = true;
	await writeFile(join(path, "mine"), "mine");
	await one.checkpoints.round();
	expect(one.checkpoints.durability(id).upTo).not.toBeNull();
	expect(placement.stored).toBe(false);
	await one.volumes.remove(id);
	await one.checkpoints.restore(placement);
	expect(await readFile(join(path, "mine"), "utf8")).toBe("mine");
	await writeFile(join(path, "more"), "more");
	await one.checkpoints.round();
	// Its snapshots are lost too: the store has it, and this node knows where.
	await one.volumes.remove(id);
	await one.snapshots.remove((await snapshotsOf(one, id)).map((name) => ({ projectId: id, name })));
	await one.restart();
	await one.checkpoints.restore(placement);
	expect(await readFile(join(path, "more"), "utf8")).toBe("more");
	expect(await readFile(join(path, "mine"), "utf8")).toBe("mine");
});

/** A fork on the other node that nobody has opened, as the site tells of it. */
function placeUnopened(originId: string) {
	const [begins] = cluster.chainOf(originId).slice(-1).map(idOf);
	const fork = cluster.placeFork(originId);
	delete fork.copyOf;
	return Object.assign(fork, begins ? { beginsAs: begins } : {});
}

const idOf = ({ projectId, generation, sequence }: Checkpoint) => ({ projectId, generation, sequence });

/** What the objects alone tell of a project, with what they call it. */
async function toldOf(projectId: string) {
	const told = [];
	for await (const { key, bytes } of cluster.store.list("packs/")) {
		const entries = z.array(PackEntry).parse(await readIndex(cluster.store, key, bytes));
		told.push(...entries.filter((entry) => entry.projectId === projectId));
	}
	return told;
}

test("the objects tell of a fork that nobody has opened, once its node has heard of it, be it after an outage of the store", async () => {
	const { id, large } = await makeProject();
	await one.checkpoints.round();
	const fork = placeUnopened(id);
	cluster.breakStore({ put: () => Promise.reject(new Error("no")) });
	two.checkpoints.refer([fork]);
	await two.checkpoints.round();
	expect(await toldOf(fork.projectId)).toEqual([]);
	cluster.breakStore();
	await two.checkpoints.round();
	const [reference, ...others] = await toldOf(fork.projectId);
	expect(others).toEqual([]);
	expect(reference).toMatchObject({
		parent: fork.beginsAs,
		sequence: fork.beginsAs?.sequence,
		bytes: 0,
		project: { name: "An app", slug: fork.slug, ownerId: fork.owner.id },
	});
	expect(cluster.chainOf(fork.projectId).map(({ projectId }) => projectId)).toEqual([id, fork.projectId]);
	// Told again, as with every word of the site: once is enough.
	two.checkpoints.refer([fork]);
	await two.checkpoints.round();
	expect(await toldOf(fork.projectId)).toHaveLength(1);

	// A reference restores nothing by itself; what the fork stores is later than it, whatever the clock says.
	await two.checkpoints.restore(fork);
	const copy = two.volumes.path(fork.projectId);
	expect((await readFile(join(copy, "large"))).equals(large)).toBe(true);
	await writeFile(join(copy, "mine"), "mine");
	vi.useFakeTimers({ toFake: ["Date"], now: 1000 });
	onTestFinished(() => void vi.useRealTimers());
	await two.checkpoints.save(fork.projectId, "change");
	const chain = cluster.chainOf(fork.projectId);
	expect(chain.map(({ projectId, bytes }) => [projectId, bytes > 0])).toEqual([
		[id, true],
		[fork.projectId, true],
	]);
	expect(chain.at(-1)?.sequence).toBeGreaterThan(fork.beginsAs?.sequence ?? Number.POSITIVE_INFINITY);
});

test("a fork that is to be a copy, or is here, needs no reference", async () => {
	const { id } = await makeProject();
	await one.checkpoints.round();
	const copied = Object.assign(placeUnopened(id), { copyOf: id });
	one.checkpoints.refer([copied]);
	await one.checkpoints.round();
	expect(await toldOf(copied.projectId)).toEqual([]);
	// Nor does anybody wait for the tick: the first checkpoint of a copy follows at once.
	await one.checkpoints.restore(copied);
	await vi.waitFor(async () => expect(await toldOf(copied.projectId)).toHaveLength(1), 20_000);
	expect((await toldOf(copied.projectId))[0]?.bytes).toBeGreaterThan(0);
	const opened = placeUnopened(id);
	await two.checkpoints.restore(opened);
	two.checkpoints.refer([opened]);
	await two.checkpoints.round();
	expect((await toldOf(opened.projectId)).map(({ bytes }) => bytes > 0)).toEqual([true]);
});

test("what the site waits for is stored with what was just typed, and only if it is not; an outage is told", async () => {
	const { id, path } = await makeProject();
	await one.checkpoints.round();
	let typed = "first";
	cluster.typing.set(id, async () => {
		if (typed !== "") await writeFile(join(path, "typed"), typed);
		typed = "";
		return true;
	});
	expect(await one.checkpoints.bringUpToDate(id)).toBe(true);
	const before = cluster.chainOf(id).length;
	expect(before).toBe(2);
	expect(await one.checkpoints.bringUpToDate(id)).toBe(true);
	expect(cluster.chainOf(id)).toHaveLength(before);
	typed = "second";
	cluster.breakStore({ put: () => Promise.reject(new Error("no")) });
	expect(await one.checkpoints.bringUpToDate(id)).toBe(false);
	cluster.breakStore();
	// Where no volume is there is nothing that is not stored.
	expect(await two.checkpoints.bringUpToDate(id)).toBe(true);
});
