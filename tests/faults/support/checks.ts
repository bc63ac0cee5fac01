import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ObjectStore, ObjectStoreError } from "@repldock/objects";
import { type Checkpoint, type CheckpointId, isReference } from "@repldock/protocol";
import { createLog, runCommand } from "@repldock/service";
import { expect } from "vitest";
import { collectGarbage } from "../../../apps/node/src/checkpoints/garbage.ts";
import { readPack } from "../../../apps/node/src/checkpoints/pack.ts";
import { restoreVolume } from "../../../apps/node/src/checkpoints/restore.ts";
import type { StorageWorld } from "./storage-world.ts";
import type { Typist } from "./typist.ts";

const log = createLog("test", "silent");
const century = 100 * 365 * 24 * 60 * 60 * 1000;
const megabyte = 1024 * 1024;

/** An object store, and a place of the test's own to restore into. */
export type Restorable = Pick<StorageWorld, "store" | "scratch">;

/** Restores a chain into a fresh volume, hands its path over, and removes it. */
export async function withRestored<T>(
	world: Restorable,
	named: readonly Checkpoint[],
	look: (path: string) => Promise<T>,
): Promise<T> {
	// A fork that nobody opened is what its reference builds on.
	const chain = named.filter((checkpoint) => !isReference(checkpoint));
	const last = chain.at(-1);
	if (!last) throw new Error("there is nothing to restore");
	const { projectId } = last;
	const { volumes, snapshots } = world.scratch;
	const limits = { memoryBytes: 1, cpus: 1, pids: 1, diskBytes: 1024 * megabyte };
	const placement = { projectId, limits } as Parameters<typeof restoreVolume>[1];
	// Nothing is here already.
	const parts: unknown = { isKept: () => false, removeUnkept: snapshots.remove };
	const state = parts as Parameters<typeof restoreVolume>[0]["state"];
	await restoreVolume({ store: world.store, snapshots, volumes, state, log }, placement, chain);
	try {
		return await look(volumes.path(projectId));
	} finally {
		await volumes.remove(projectId);
		const { snapshots: left } = await snapshots.survey();
		// Those of a fork are its origin's, too.
		const names = [...left].flatMap(([of, named]) => [...named.keys()].map((name) => ({ projectId: of, name })));
		await snapshots.remove(names);
	}
}

/** The text of a typist's file; empty when there is none. */
export async function textIn(path: string, typist: Typist): Promise<string> {
	return readFile(join(path, typist.path), "utf8").catch((error: NodeJS.ErrnoException) => {
		if (error.code === "ENOENT") return "";
		throw error;
	});
}

export function expectKeystrokes(text: string, keystrokes: readonly string[], what: string): void {
	const missing = keystrokes.filter((keystroke) => !text.includes(keystroke));
	expect(
		missing.map((keystroke) => keystroke.slice(0, 40)),
		what,
	).toEqual([]);
}

/** What a page was told to be in the file is in the file. */
export async function expectSaved(path: string, typists: readonly Typist[]): Promise<void> {
	for (const typist of typists) {
		expectKeystrokes(await textIn(path, typist), typist.saved(), `${typist.path}: saved, but not in the file`);
	}
}

/**
 * What a page was told to be durable is in the object store: as if the node and the database were lost in this moment,
 * only the objects are looked at.
 */
export async function expectDurable(world: Restorable, projectId: string, typists: readonly Typist[]): Promise<void> {
	const durable = typists.map((typist) => typist.durable());
	if (durable.every((keystrokes) => keystrokes.length === 0)) return;
	const restored = await restoreNewest(world, projectId, (path) =>
		Promise.all(typists.map((typist) => textIn(path, typist))),
	);
	for (const [at, typist] of typists.entries()) {
		expectKeystrokes(restored[at] ?? "", durable[at] ?? [], `${typist.path}: durable, but not in the object store`);
	}
}

/** Restores the newest checkpoint whose chain is whole, found in the objects' own indices. */
async function restoreNewest<T>(world: Restorable, projectId: string, look: (path: string) => Promise<T>): Promise<T> {
	const stored = new Map<string, Checkpoint>();
	for (const prefix of ["packs/", "projects/"]) {
		for await (const { key, bytes } of world.store.list(prefix)) {
			// What the store kept wrongly was never acknowledged; its index may make no sense.
			for (const entry of await readPack(world.store, key, bytes).catch(() => [])) stored.set(textOf(entry), entry);
		}
	}
	const found = [...stored.values()].filter((entry) => entry.projectId === projectId);
	found.sort((one, other) => other.generation - one.generation || other.sequence - one.sequence);
	let lastError: unknown = new Error("the object store has no checkpoint of it");
	for (const newest of found) {
		const chain = [newest];
		for (let parent = newest.parent; parent; parent = chain[0]?.parent ?? null) {
			// A fork's first one builds on its origin's.
			const next = stored.get(textOf(parent));
			if (!next || chain.length > 100) break;
			chain.unshift(next);
		}
		if (chain[0]?.parent) continue;
		try {
			return await withRestored(world, chain, look);
		} catch (error) {
			// Bytes that the store kept wrongly are found by their sums; they were never acknowledged.
			if (!(error instanceof Error && error.cause instanceof ObjectStoreError)) throw error;
			lastError = error;
		}
	}
	throw lastError;
}

const textOf = ({ projectId, generation, sequence }: CheckpointId) => `${projectId}/${generation}.${sequence}`;

/** Each version that people can see restores, with its sums. */
export async function expectVersionsWhole(world: StorageWorld, projectId: string, atMost: number): Promise<void> {
	const versions = await world.versions(projectId);
	const step = Math.max(1, Math.ceil(versions.length / atMost));
	for (let at = 0; at < versions.length; at += step) {
		const version = versions[at];
		if (version) await withRestored(world, await world.chain(projectId, version), async (path) => readdir(path));
	}
}

/** The present state, restored from what the site says, is the volume. */
export async function expectSameFiles(world: StorageWorld, projectId: string, volume: string): Promise<void> {
	await withRestored(world, await world.chain(projectId), async (restored) => {
		// It says what differs, and fails.
		const differences = await runCommand("diff", [
			"--recursive",
			"--no-dereference",
			"--brief",
			volume,
			restored,
		]).catch((error: unknown) => error);
		expect(differences).toBe("");
	});
}

/** After the garbage is collected there is what rows name, and nothing else. */
export async function expectNoLeaks(world: StorageWorld): Promise<void> {
	await collectGarbage({
		// The youngest go as well; all agents have told all that they know.
		store: { ...world.store, now: async () => new Date(Date.now() + century) },
		olderThanMs: -century,
		nodeId: "none",
		unnamed: async (keys) => ({ unnamed: await world.unnamed(keys), knowsSince: new Date(0).toISOString() }),
		unreported: () => new Set(),
		log,
	});
	const rows = await world.site.query("SELECT DISTINCT object_key FROM checkpoints");
	const named = rows.map(({ object_key }) => String(object_key)).sort();
	expect(await keysIn(world.store)).toEqual(named);
	expect(await world.unfinished()).toEqual([]);
}

async function keysIn(store: ObjectStore): Promise<string[]> {
	const keys: string[] = [];
	for await (const { key } of store.list("")) keys.push(key);
	return keys.sort();
}

/** A large file of the project was stored in parts, so that faults met those. */
export function expectInParts(world: StorageWorld, projectId: string): void {
	const parts = world.server.requests.filter(
		({ key, query }) => key.startsWith(`projects/${projectId}/`) && query.includes("partNumber="),
	);
	expect(parts.length).toBeGreaterThan(1);
}

/** Every name of a tree with its kind and mode, and the sum of every file's bytes. */
export function describeFiles(path: string): Promise<string> {
	const list = "find . -printf '%y %m %P %l\\n' | sort; find . -type f -print0 | sort -z | xargs -0r sha256sum";
	return runCommand("sh", ["-c", list], { directory: path });
}

/** What killed agents and failed attempts left half-way is gone: the node has what the next checkpoint builds on. */
export async function expectNoRemains(mountPoint: string, projectId: string): Promise<void> {
	const namesIn = async (place: string) => (await readdir(join(mountPoint, place)).catch(() => [])).sort();
	await expect.poll(async () => (await namesIn(join(".checkpoints", projectId))).length).toBeLessThanOrEqual(2);
	const own = (await namesIn("")).filter((name) => name.includes(projectId));
	expect(own).toEqual([projectId]);
}
