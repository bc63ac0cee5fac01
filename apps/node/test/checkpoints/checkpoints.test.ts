// One file, though a long one: the tests share two nodes and a store, whose start takes longer than most of them.
import { randomBytes, randomUUID } from "node:crypto";
import { chmod, mkdir, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { countOperations, type ObjectStore, ObjectStoreError, openS3Store, readIndex } from "@repldock/objects";
import { type Checkpoint, PackEntry, type ScrubQuestion } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { startObjectServer } from "../../../../tests/support/object-server.ts";
import { collectGarbage } from "../../src/checkpoints/garbage.ts";
import { readPack } from "../../src/checkpoints/pack.ts";
import { scrubOnSchedule } from "../../src/checkpoints/scrub.ts";
import { createSubvolume } from "../../src/host/btrfs.ts";
import { findLeftovers, log } from "../host/machine.ts";
import { type CheckpointNode, type Cluster, keysOf, namesIn, startCluster } from "./rig.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let cluster: Cluster;
let one: CheckpointNode;
let two: CheckpointNode;

beforeAll(async () => {
	cluster = await startCluster();
	one = await cluster.startNode("one");
	two = await cluster.startNode("two", { uid: 400_000, gid: 400_001 });
});
beforeEach(() => cluster.breakStore());
afterAll(async () => {
	await cluster.release();
	expect(await findLeftovers(cluster.directory)).toEqual([]);
});

async function makeProject(node = one) {
	const placement = cluster.place();
	await node.volumes.create(placement.projectId, cluster.template, placement.limits.diskBytes);
	const path = node.volumes.path(placement.projectId);
	return { placement, id: placement.projectId, path };
}

/** Takes the project from one node to the other, as the site would. */
function move(id: string) {
	const placement = cluster.placements.get(id);
	if (!placement) throw new Error("there is no such project");
	return cluster.place({ ...placement, generation: placement.generation + 1, stored: true });
}

const snapshotsOf = (node: CheckpointNode, id: string) => namesIn(join(node.snapshots.path(id, "1.1"), ".."));

test("a volume that changed is stored, incrementally after the first time, and one that did not is left alone", async () => {
	const { id, path } = await makeProject();
	await one.checkpoints.round();
	expect(cluster.chainOf(id)).toMatchObject([{ parent: null, kind: "change", generation: 1 }]);
	await one.checkpoints.round();
	expect(cluster.chainOf(id)).toHaveLength(1);
	await writeFile(join(path, "main.py"), "print(2)\n");
	const before = new Date().toISOString();
	await one.checkpoints.round();
	const chain = cluster.chainOf(id);
	expect(chain).toHaveLength(2);
	expect(chain[1]?.parent?.sequence).toBe(chain[0]?.sequence);
	expect(one.checkpoints.durability(id).problem).toBeNull();
	expect(one.checkpoints.durability(id).upTo?.localeCompare(before)).toBeGreaterThanOrEqual(0);
	// The full one and the latest.
	expect(await snapshotsOf(one, id)).toHaveLength(2);
});

test("small checkpoints of one round share one object, whose own index tells what is in it", async () => {
	const projects = await Promise.all(Array.from({ length: 5 }, () => makeProject()));
	const before = await keysOf(cluster.store, "");
	await one.checkpoints.round();
	const made = (await keysOf(cluster.store, "")).filter((key) => !before.includes(key));
	expect(made).toHaveLength(1);
	const key = made[0] as string;
	const bytes = (await cluster.store.head(key))?.bytes ?? 0;
	const index = await readPack(cluster.store, key, bytes);
	expect(new Set(index.map(({ projectId }) => projectId))).toEqual(new Set(projects.map(({ id }) => id)));
	for (const entry of index) expect(cluster.chainOf(entry.projectId)).toEqual([entry]);
	const told = z.array(PackEntry).parse(await readIndex(cluster.store, key, bytes));
	const facts = { name: "An app", slug: "demo", template: "python", visibility: "private", ownerId: "o" };
	expect(told.map(({ project }) => project)).toEqual(projects.map(() => facts));
});

test("a project is restored on another node with all that it held, owned by that node's containers, and goes on there", async () => {
	const { id, path } = await makeProject();
	await mkdir(join(path, "deep/er"), { recursive: true });
	await writeFile(join(path, "deep/er/ü n\n.txt"), "text");
	await writeFile(join(path, "large"), randomBytes(3 * 1024 * 1024));
	await symlink("../../etc/passwd", join(path, "link"));
	await one.checkpoints.round();
	expect(cluster.chainOf(id)[0]?.key).toMatch(
		new RegExp(`^projects/${id}/1/${cluster.chainOf(id)[0]?.sequence}-[0-9a-f-]{36}$`),
	);
	await writeFile(join(path, "run"), "#!/bin/sh\n");
	await chmod(join(path, "run"), 0o750);
	await rm(join(path, "main.py"));
	await one.checkpoints.round();
	await two.checkpoints.restore(move(id));
	const restored = two.volumes.path(id);
	expect((await readdir(restored)).sort()).toEqual(["deep", "large", "link", "run"]);
	expect(await readFile(join(restored, "deep/er/ü n\n.txt"), "utf8")).toBe("text");
	expect(await readFile(join(restored, "large"))).toEqual(await readFile(join(path, "large")));
	expect(await readlink(join(restored, "link"))).toBe("../../etc/passwd");
	expect(await stat(join(restored, "run"))).toMatchObject({ mode: 0o100750, uid: 400_000, gid: 400_001 });
	expect((await two.volumes.usage(id)).limitBytes).toBe(200 * 1024 * 1024);
	await writeFile(join(restored, "run"), "changed");
	await two.checkpoints.round();
	expect(cluster.chainOf(id).map(({ generation }) => generation)).toEqual([1, 1, 2]);
	await one.volumes.remove(id);
	await one.checkpoints.forget(id);
	await one.checkpoints.restore(move(id));
	expect(await readFile(join(path, "run"), "utf8")).toBe("changed");
	expect(await stat(join(path, "run"))).toMatchObject({ uid: 300_000, gid: 300_001 });
});

test("a damaged object is never restored: nothing of it is to be seen", async () => {
	const { id, path } = await makeProject();
	await one.checkpoints.round();
	await writeFile(join(path, "more"), "more");
	await one.checkpoints.round();
	const last = cluster.chainOf(id).at(-1);
	cluster.breakStore({
		async get(key, options) {
			const stream = await cluster.store.get(key, options);
			if (options?.range?.start !== last?.start || key !== last?.key) return stream;
			const bytes = Buffer.concat(await stream.toArray());
			bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
			return Readable.from([bytes]);
		},
	});
	await expect(two.checkpoints.restore(move(id))).rejects.toMatchObject({ code: "node_unreachable" });
	expect(await two.volumes.exists(id)).toBe(false);
	expect(await snapshotsOf(two, id)).toEqual([]);
	cluster.breakStore();
	await two.checkpoints.restore(move(id));
	expect(await readFile(join(two.volumes.path(id), "more"), "utf8")).toBe("more");
});

test("of a damaged object it is said so, also when its first bytes make no sense and the rest is not looked at", async () => {
	const { id, path } = await makeProject();
	await writeFile(join(path, "large"), randomBytes(8 * 1024 * 1024));
	await one.checkpoints.round();
	cluster.breakStore({
		async get(key, options) {
			const bytes = Buffer.concat(await (await cluster.store.get(key, options)).toArray());
			bytes[0] = (bytes[0] ?? 0) ^ 1;
			async function* slowly() {
				for (let at = 0; at < bytes.length; at += 500_000) {
					yield bytes.subarray(at, at + 500_000);
					await delay(50);
				}
			}
			return Readable.from(slowly());
		},
	});
	const restoring = two.checkpoints.restore(move(id));
	await expect(restoring).rejects.toMatchObject({ code: "node_unreachable", cause: { code: "corrupt" } });
	expect(await snapshotsOf(two, id)).toEqual([]);
});

test("an outage of the store is shown and loses nothing; afterwards all is durable", async () => {
	const { id, path } = await makeProject();
	await one.checkpoints.round();
	const before = one.checkpoints.durability(id).upTo;
	cluster.breakStore({
		put: async () => {
			throw new ObjectStoreError("unavailable", "The object store does not answer.");
		},
	});
	for (const text of ["a", "b"]) {
		await writeFile(join(path, "main.py"), text);
		await one.checkpoints.round();
		expect(one.checkpoints.durability(id)).toEqual({ upTo: before, problem: "The object store does not answer." });
	}
	expect(await snapshotsOf(one, id)).toHaveLength(1);
	await expect(one.checkpoints.save(id, "named", "mine")).rejects.toMatchObject({ code: "timed_out" });
	cluster.breakStore();
	await one.checkpoints.round();
	expect(one.checkpoints.durability(id).problem).toBeNull();
	await two.checkpoints.restore(move(id));
	expect(await readFile(join(two.volumes.path(id), "main.py"), "utf8")).toBe("b");
});

test("a store that takes other bytes than it was sent makes nothing durable", async () => {
	const { id } = await makeProject();
	cluster.breakStore({
		put: async (key, body) => ({ ...(await cluster.store.put(key, body)), sha256: "0".repeat(64) }),
	});
	await one.checkpoints.round();
	expect(cluster.chainOf(id)).toEqual([]);
	expect(one.checkpoints.durability(id)).toMatchObject({ upTo: null, problem: expect.stringContaining("other bytes") });
});

test("a version is saved under its name even when nothing changed", async () => {
	const { id } = await makeProject();
	await one.checkpoints.round();
	const saved = await one.checkpoints.save(id, "named", "Before the talk");
	expect(cluster.chainOf(id).at(-1)).toEqual(saved);
	expect(saved).toMatchObject({ kind: "named", name: "Before the talk" });
});

test("chains are bounded: after 32 increments, or twice the full size, a full one follows", async () => {
	const { id, path } = await makeProject();
	await writeFile(join(path, "noise"), randomBytes(200_000));
	await one.checkpoints.round();
	for (let at = 0; at < 33; at += 1) {
		await writeFile(join(path, "main.py"), `print(${at})`);
		await one.checkpoints.round();
	}
	expect(cluster.chainOf(id)).toHaveLength(1);
	for (let at = 0; at < 4; at += 1) {
		await writeFile(join(path, "noise"), randomBytes(200_000));
		await one.checkpoints.round();
	}
	expect(cluster.chainOf(id)).toHaveLength(1);
	await two.checkpoints.restore(move(id));
	expect(await readFile(join(two.volumes.path(id), "noise"))).toEqual(await readFile(join(path, "noise")));
});

test("an agent that died goes on with what is durable, and clears away what is not", async () => {
	const { id, path } = await makeProject();
	await one.checkpoints.round();
	await one.snapshots.take(id, "1.7");
	await writeFile(join(path, "main.py"), "later");
	await one.restart();
	expect(await snapshotsOf(one, id)).toHaveLength(1);
	await one.checkpoints.round();
	expect(cluster.chainOf(id)).toHaveLength(2);
	const names = await snapshotsOf(one, id);
	await one.snapshots.remove(names.map((name) => ({ projectId: id, name })));
	await one.restart();
	await writeFile(join(path, "main.py"), "latest");
	await one.checkpoints.round();
	// There was nothing to tell changes from.
	expect(cluster.chainOf(id)).toHaveLength(1);
	await one.checkpoints.forget(id);
	expect(await snapshotsOf(one, id)).toEqual([]);
});

test("what an agent that died was receiving again, under the name of a snapshot it had lost, is not taken for whole", async () => {
	const { placement, id, path } = await makeProject();
	await one.checkpoints.round();
	await one.volumes.remove(id);
	const [name = ""] = await snapshotsOf(one, id);
	await one.snapshots.remove([{ projectId: id, name }]);
	await one.restart();
	async function leaveHalf() {
		const place = one.snapshots.path(id, name);
		await mkdir(join(place, ".."));
		await createSubvolume(place);
	}
	const dies = Promise.withResolvers<void>();
	cluster.breakStore({
		async get() {
			await leaveHalf();
			dies.resolve();
			return new Promise(() => undefined);
		},
	});
	void one.checkpoints.restore(cluster.place({ ...placement, stored: true }));
	await dies.promise;
	await one.restart();
	expect(one.checkpoints.isKept(cluster.chainOf(id)[0] as Checkpoint)).toBe(false);
	expect(await snapshotsOf(one, id)).toEqual([]);
	// Or it comes later, from a program that outlived the agent.
	await leaveHalf();
	cluster.breakStore();
	await one.checkpoints.restore(cluster.place({ ...placement, stored: true }));
	expect(await readdir(path)).toEqual(["main.py"]);
});

test("an agent that ends waits no longer than it may for a store that hangs, and its next one stores the same", async () => {
	const { id, path } = await makeProject();
	await one.checkpoints.round();
	await writeFile(join(path, "last.txt"), "last words");
	const hangs: ObjectStore["put"] = async (_key, _body, { signal = new AbortController().signal } = {}) => {
		await delay(60_000, undefined, { signal });
		throw new Error("it hung");
	};
	cluster.breakStore({ put: hangs });
	const askedAtMs = performance.now();
	await one.checkpoints.close(50);
	expect(performance.now() - askedAtMs).toBeLessThan(30_000);
	expect(cluster.chainOf(id)).toHaveLength(1);
	cluster.breakStore();
	await one.restart();
	await one.checkpoints.close(60_000);
	expect(cluster.chainOf(id)).toHaveLength(2);
	await one.restart();
});

test("a clock that is set back neither hides later checkpoints behind earlier ones nor promises what is to come", async () => {
	const { id, path } = await makeProject();
	const clock = vi.spyOn(Date, "now");
	const realNow = () => performance.timeOrigin + performance.now();
	const hour = 60 * 60 * 1000;
	try {
		clock.mockImplementation(() => Math.floor(realNow() + hour));
		await one.checkpoints.round();
		await one.restart();
		clock.mockImplementation(() => Math.floor(realNow()));
		// Known only by a time that has not come.
		await one.restart();
		expect(one.checkpoints.durability(id).upTo).toBeNull();
		await writeFile(join(path, "main.py"), "later");
		await one.checkpoints.round();
		const [full, next] = cluster.chainOf(id);
		expect(next?.parent?.sequence).toBe(full?.sequence);
		expect(next?.sequence).toBeGreaterThan(full?.sequence ?? 0);
		expect(next?.key).not.toBe(full?.key);
		expect(Date.parse(one.checkpoints.durability(id).upTo ?? "")).toBeLessThanOrEqual(Date.now());
		clock.mockImplementation(() => Math.floor(realNow() - hour));
		expect(Date.parse(one.checkpoints.durability(id).upTo ?? "")).toBeLessThanOrEqual(Date.now());
	} finally {
		clock.mockRestore();
	}
});

test("a checkpoint whose bytes come slowly to their end is received whole", async () => {
	const { id } = await makeProject();
	await one.snapshots.take(id, "1.1");
	const sent = Buffer.concat(await one.snapshots.send({ projectId: id, name: "1.1" }, null).output.toArray());
	async function* slowly() {
		yield sent;
		await delay(500);
	}
	await two.snapshots.receive(id, { stream: Readable.from(slowly()), through: null });
	expect(await readdir(two.snapshots.path(id, "1.1"))).toEqual(["main.py"]);
	await two.snapshots.remove([{ projectId: id, name: "1.1" }]);
	await expect(
		two.snapshots.receive(id, { stream: Readable.from([sent.subarray(0, -1)]), through: null }),
	).rejects.toThrow();
	await Promise.all([one, two].map(({ snapshots }) => snapshots.remove([{ projectId: id, name: "1.1" }])));
});

test("while what people typed cannot be written into files, these are stored, and nothing newer is called durable", async () => {
	const { id, path } = await makeProject();
	await one.checkpoints.round();
	const { upTo } = one.checkpoints.durability(id);
	cluster.typing.set(id, async () => false);
	await writeFile(join(path, "main.py"), "by a program");
	await one.checkpoints.round();
	expect(cluster.chainOf(id)).toHaveLength(2);
	expect(one.checkpoints.durability(id).upTo).toBe(upTo);
	await one.restart();
	expect(one.checkpoints.durability(id).upTo).toBe(upTo);
	expect(await one.checkpoints.bringUpToDate(id)).toBe(false);
	cluster.typing.delete(id);
	await writeFile(join(path, "main.py"), "typed");
	await one.checkpoints.round();
	expect(Date.parse(one.checkpoints.durability(id).upTo ?? "")).toBeGreaterThan(Date.parse(upTo ?? ""));
	expect(await one.checkpoints.bringUpToDate(id)).toBe(true);
});

test("what the node cannot write down is not called durable, and becomes so once it can", async () => {
	const { id, path } = await makeProject();
	await one.checkpoints.round();
	const { upTo } = one.checkpoints.durability(id);
	const before = await snapshotsOf(one, id);
	// As on a full disk: the draft of the node's state cannot be written.
	const draft = join(cluster.directory, "one.json.new");
	// One may be being written.
	await vi.waitFor(() => mkdir(draft));
	await writeFile(join(path, "main.py"), "print(2)\n");
	await expect(one.checkpoints.save(id, "named", "Unlucky")).rejects.toMatchObject({ code: "timed_out" });
	expect(one.checkpoints.durability(id)).toMatchObject({ upTo, problem: expect.any(String) });
	expect(await snapshotsOf(one, id)).toEqual(before);
	expect(cluster.chainOf(id)).toHaveLength(1);
	await rm(draft, { recursive: true });
	await one.checkpoints.save(id, "named", "Lucky");
	expect(one.checkpoints.durability(id).problem).toBeNull();
	await two.checkpoints.restore(move(id));
	expect(await readFile(join(two.volumes.path(id), "main.py"), "utf8")).toBe("print(2)\n");
});

test("only old objects that no manifest names are removed, and none while the site cannot say which", async () => {
	const { id } = await makeProject();
	await one.checkpoints.round();
	const before = await keysOf(cluster.store, "");
	const named = new Set([...cluster.recorded.values()].map(({ key }) => key));
	const [told, untold, backedUp] = [1, 2, 3].map((n) => `packs/me/00000000000000${n}-0`) as [string, string, string];
	for (const key of [told, untold, backedUp]) await cluster.store.put(key, Buffer.from("left behind"));
	const list = "backups/2026-01-01T00-00-00Z/objects.jsonl";
	await cluster.store.put(list, Buffer.from(`${JSON.stringify({ key: backedUp, bytes: 11, sha256: null })}\n`));
	const options = {
		store: cluster.store,
		nodeId: "me",
		olderThanMs: -60_000,
		unnamed: async (keys: readonly string[]) => ({
			unnamed: keys.filter((key) => !named.has(key)),
			knowsSince: new Date(0).toISOString(),
		}),
		unreported: () => new Set([untold]),
		log,
	};
	const outage = () => Promise.reject(new Error("the site does not answer"));
	await expect(collectGarbage({ ...options, unnamed: outage })).rejects.toThrow();
	expect(await collectGarbage({ ...options, olderThanMs: 60_000 })).toBe(0);
	// A database that was made after these objects, because the one that knew them is lost.
	const young = async () => ({ ...(await options.unnamed([told])), knowsSince: new Date().toISOString() });
	expect(await collectGarbage({ ...options, unnamed: young })).toBe(0);
	// The instance is being backed up; a mark that a killed backup left counts for a week.
	const mark = "backups/2026-01-02T00-00-00Z/begun";
	await cluster.store.put(mark, Buffer.from(""));
	expect(await collectGarbage(options)).toBe(0);
	expect(await keysOf(cluster.store, "")).toContain(told);
	await cluster.store.remove([mark]);
	// Begun and dumped before the rows went, while the garbage was being looked for already.
	async function unnamedMeanwhile(keys: readonly string[]) {
		await cluster.store.put(mark, Buffer.from(""));
		return options.unnamed(keys);
	}
	expect(await collectGarbage({ ...options, unnamed: unnamedMeanwhile })).toBe(0);
	const dayMs = 24 * 60 * 60 * 1000;
	const later = (days: number) => ({ ...cluster.store, now: async () => new Date(Date.now() + days * dayMs) });
	expect(await collectGarbage({ ...options, store: later(6) })).toBe(0);
	expect(await collectGarbage({ ...options, store: later(8) })).toBeGreaterThan(0);
	const left = await keysOf(cluster.store, "");
	expect(left).toContain(untold);
	expect(left).toEqual(expect.arrayContaining([list, backedUp]));
	expect(left).not.toContain(told);
	expect(left).toEqual(expect.arrayContaining(before.filter((key) => named.has(key))));
	expect(left).toEqual(expect.arrayContaining(cluster.chainOf(id).map(({ key }) => key)));
});

test("what another node wrote is left to it, which may have to tell of it yet, until that node has given it up too", async () => {
	const dayMs = 24 * 60 * 60 * 1000;
	const packs = ["packs/other/000000000000001-0", "projects/a/1/1-other"];
	const mine = ["packs/me/000000000000001-0", "projects/a/1/1-me"];
	for (const key of [...packs, ...mine]) await cluster.store.put(key, Buffer.from("x"));
	const collectAfter = (days: number) =>
		collectGarbage({
			store: { ...cluster.store, now: async () => new Date(Date.now() + days * dayMs) },
			nodeId: "me",
			olderThanMs: dayMs,
			unnamed: async (keys) => ({
				unnamed: keys.filter((key) => packs.includes(key) || mine.includes(key)),
				knowsSince: new Date(0).toISOString(),
			}),
			unreported: () => new Set(),
			log,
		});
	// The site was down for days: the other node could tell nobody.
	expect(await collectAfter(27)).toBe(2);
	expect(await keysOf(cluster.store, "packs/other/")).toHaveLength(1);
	expect(await collectAfter(29)).toBe(2);
});

test("a node whose clock is a month ahead removes nothing early: age is measured by the store's clock", async () => {
	const server = await startObjectServer();
	onTestFinished(() => server.close());
	const bucket = openS3Store({
		...server.credentials,
		endpoint: `http://127.0.0.1:${server.port}`,
		bucket: server.bucket,
		style: "path",
	});
	const monthMs = 31 * 24 * 60 * 60 * 1000;
	/** The server of the test reads the same clock as the node: it is put back while that is ahead. */
	for (const { store, later } of [
		{ store: cluster.store, later: { ...cluster.store, now: async () => new Date(Date.now() + monthMs) } },
		{ store: bucket, later: bucket },
	]) {
		const keys = ["packs/other/000000000000007-0", "packs/me/000000000000007-0"];
		for (const key of keys) await store.put(key, Buffer.from("x"));
		const collect = (from: ObjectStore) =>
			collectGarbage({
				store: from,
				nodeId: "me",
				olderThanMs: 24 * 60 * 60 * 1000,
				unnamed: async (asked) => ({
					unnamed: asked.filter((key) => keys.includes(key)),
					knowsSince: new Date(0).toISOString(),
				}),
				unreported: () => new Set(),
				log,
			});
		vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + monthMs });
		server.setClock(-monthMs);
		expect(await collect(store)).toBe(0);
		vi.useRealTimers();
		server.setClock(monthMs);
		expect(await collect(later)).toBe(2);
	}
});

test("what the site could not be told for two weeks is told no more: a full checkpoint takes its place", async () => {
	const { id } = await makeProject();
	cluster.site.down = true;
	await one.checkpoints.round();
	const [untold] = one.checkpoints.reports.unreported().filter(({ projectId }) => projectId === id);
	vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 15 * 24 * 60 * 60 * 1000 });
	try {
		cluster.site.down = false;
		one.checkpoints.reports.tellAgain();
		expect(cluster.chainOf(id)).toEqual([]);
		await one.checkpoints.round();
		expect(cluster.chainOf(id)).toMatchObject([{ parent: null }]);
		expect(cluster.chainOf(id)[0]?.sequence).not.toBe(untold?.sequence);
	} finally {
		vi.useRealTimers();
	}
});

test("what the site refuses, since it has lost what that builds on, is not called durable until it is stored in full", async () => {
	const { id, path } = await makeProject();
	await one.checkpoints.round();
	for (const [key, { projectId }] of cluster.recorded) if (projectId === id) cluster.recorded.delete(key);
	await writeFile(join(path, "main.py"), "later");
	await one.checkpoints.round();
	expect(one.checkpoints.durability(id).upTo).toBeNull();
	await one.checkpoints.round();
	expect(one.checkpoints.durability(id).upTo).not.toBeNull();
	expect(cluster.chainOf(id)).toMatchObject([{ parent: null }]);
});

test("a clock that was put back keeps no later checkpoint from being the latest, also after the agent was started anew", async () => {
	const { id, path } = await makeProject();
	vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
	await one.checkpoints.round().finally(() => vi.useRealTimers());
	await one.restart();
	await writeFile(join(path, "later"), "later");
	await one.checkpoints.round();
	expect(cluster.chainOf(id)).toHaveLength(2);
});

test("a project that comes to rest is restored from few objects, whatever its chain was; at most one small object is written for that", async () => {
	const { id, path } = await makeProject();
	await writeFile(join(path, "large"), randomBytes(2 * 1024 * 1024));
	const edits = async (name: string) => {
		for (let at = 0; at < 8; at += 1) {
			await writeFile(join(path, name), `${name} ${at}`);
			await one.checkpoints.round();
		}
	};
	const getsOfRestore = async () => {
		const counted = countOperations(cluster.store);
		cluster.breakStore(counted);
		await two.checkpoints.restore(move(id));
		cluster.breakStore();
		await two.volumes.remove(id);
		await two.checkpoints.forget(id);
		return counted.counts.gets;
	};
	await edits("first");
	expect(cluster.chainOf(id)).toHaveLength(8);
	expect(await getsOfRestore()).toBe(8);
	const before = await keysOf(cluster.store, "");
	await one.checkpoints.settle([id]);
	const made = (await keysOf(cluster.store, "")).filter((key) => !before.includes(key));
	expect(made).toHaveLength(1);
	expect(cluster.chainOf(id)).toHaveLength(2);
	expect(cluster.chainOf(id)[1]?.bytes).toBeLessThan(10_000);
	expect(await getsOfRestore()).toBe(2);
	// At rest already.
	await one.checkpoints.settle([id]);
	expect(cluster.chainOf(id)).toHaveLength(2);
	// Again from the full one, also by an agent that was started anew.
	await edits("second");
	await one.restart();
	await one.checkpoints.settle([id]);
	expect(cluster.chainOf(id)).toHaveLength(2);
	// What takes the place of many is not written at every rest once it is large: the next builds on it.
	await writeFile(join(path, "grown"), randomBytes(1024 * 1024));
	await edits("third");
	await one.checkpoints.settle([id]);
	await edits("fourth");
	await one.checkpoints.settle([id]);
	expect(cluster.chainOf(id)).toHaveLength(3);
	expect(cluster.chainOf(id)[2]?.bytes).toBeLessThan(10_000);
	expect((await snapshotsOf(one, id)).length).toBe(2);
	await two.checkpoints.restore(move(id));
	for (const name of ["first", "second", "third", "fourth"]) {
		expect(await readFile(join(two.volumes.path(id), name), "utf8")).toBe(`${name} 7`);
	}
});

test("an object that is damaged in the store is found, told, and stored anew in full at the next tick", async () => {
	const [{ id, path }, other] = [await makeProject(), await makeProject()];
	await one.checkpoints.round();
	await writeFile(join(path, "more"), "more");
	await one.checkpoints.round();
	const chain = cluster.chainOf(id);
	const last = chain.at(-1) as Checkpoint;
	cluster.breakStore({
		async get(key, options) {
			const bytes = Buffer.concat(await (await cluster.store.get(key, options)).toArray());
			if (key === last.key) bytes[last.start] = (bytes[last.start] ?? 0) ^ 1;
			return Readable.from([bytes]);
		},
	});
	const answers = [chain.slice(0, 1), chain.slice(-1)].map((checkpoints) => ({
		checkpoints,
		waitMs: 0,
		storeAnew: [],
	}));
	const asked: ScrubQuestion[] = [];
	const stop = new AbortController();
	const toStore: string[] = [];
	await scrubOnSchedule(
		{
			store: cluster.faultyStore,
			periodMs: 1000,
			nodeId: () => randomUUID(),
			async next(question) {
				asked.push(question);
				const answer = answers.shift();
				if (!answer) stop.abort();
				return answer ?? { checkpoints: [], waitMs: 0, storeAnew: [id] };
			},
			storeAnew: (projectIds) => void toStore.push(...projectIds),
			wait: async () => undefined,
			log: createLog("test", "silent"),
		},
		stop.signal,
	);
	const { generation, sequence } = last;
	expect(toStore).toEqual([id]);
	expect(asked.map(({ done }) => done)).toMatchObject([
		null,
		{ key: chain[0]?.key, findings: [] },
		{ key: last.key, findings: [{ checkpoint: { projectId: id, generation, sequence }, problem: "damaged" }] },
	]);
	await one.checkpoints.storeAnew(toStore);
	expect(one.checkpoints.durability(id)).toMatchObject({ upTo: null, problem: expect.stringContaining("damaged") });
	const otherBefore = cluster.chainOf(other.id);
	await one.checkpoints.round();
	expect(one.checkpoints.durability(id)).toMatchObject({ upTo: expect.any(String), problem: null });
	expect(cluster.chainOf(id)).toHaveLength(1);
	expect(cluster.chainOf(other.id)).toEqual(otherBefore);
	await two.checkpoints.restore(move(id));
	expect(await readFile(join(two.volumes.path(id), "more"), "utf8")).toBe("more");
});
