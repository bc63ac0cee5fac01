import { readFile, statfs } from "node:fs/promises";
import { type ObjectConfig, type ObjectStore, objectLocation, openObjectStore } from "@repldock/objects";
import { readCheckpoints } from "./checkpoints/state-file.ts";
import type { NodeConfig, NodePaths } from "./config.ts";
import { createSnapshots } from "./host/snapshots.ts";
import { volumeStore } from "./machine.ts";

/** Enough to see whether the store answers, and small enough for any store. */
const mostListed = 1000;

const storeTimeoutMs = 10_000;

/** How storing stands on this node, as `main.ts storage` prints it for `status` and `doctor`. */
export interface StorageReport {
	volumes: { count: number; usedBytes: number; freeBytes: number };
	/** Volumes that hold what is not in the object store, with the time up to which they are. */
	dirty: { projectId: string; upTo: string | null }[];
	/** Stored, but not yet recorded by the site. */
	unreported: number;
	store: { description: string; objects: number; more: boolean; oldestAt: string | null; problem: string | null };
	/** When objects that nothing needs were last looked for, and how many were removed. */
	garbage: { at: string; removed: number } | null;
}

export async function reportStorage(
	config: NodeConfig,
	paths: NodePaths,
	objects: ObjectConfig,
): Promise<StorageReport> {
	const { mountPoint } = volumeStore(config, paths);
	const [{ volumes }, { durable, unreported }, disk, store, garbage] = await Promise.all([
		createSnapshots(mountPoint).survey(),
		readCheckpoints(paths.checkpoints),
		statfs(mountPoint),
		lookAtStore(objects, paths.data),
		readGarbage(paths.garbage),
	]);
	const dirty = [...volumes]
		.filter(([projectId, changes]) => durable[projectId]?.changes !== changes)
		.map(([projectId]) => ({ projectId, upTo: durable[projectId]?.upTo ?? null }));
	return {
		volumes: {
			count: volumes.size,
			usedBytes: (disk.blocks - disk.bfree) * disk.bsize,
			freeBytes: disk.bavail * disk.bsize,
		},
		dirty,
		unreported: unreported.length,
		store,
		garbage,
	};
}

async function lookAtStore(objects: ObjectConfig, data: string): Promise<StorageReport["store"]> {
	const location = objectLocation(objects, data);
	const seen: StorageReport["store"] = {
		description: location.kind,
		objects: 0,
		more: false,
		oldestAt: null,
		problem: null,
	};
	try {
		const store = await openObjectStore(location, objects);
		seen.description = store.description;
		await Promise.race([list(store, seen), tooLong()]);
		return seen;
	} catch (error) {
		return { ...seen, problem: error instanceof Error ? error.message : String(error) };
	}
}

async function list(store: ObjectStore, seen: StorageReport["store"]) {
	for (const prefix of ["packs/", "projects/"]) {
		for await (const { modifiedAt } of store.list(prefix)) {
			if (seen.objects === mostListed) {
				seen.more = true;
				return;
			}
			seen.objects += 1;
			const at = modifiedAt.toISOString();
			if (seen.oldestAt === null || at < seen.oldestAt) seen.oldestAt = at;
		}
	}
}

function tooLong(): Promise<never> {
	return new Promise((_, reject) => {
		setTimeout(() => reject(new Error("It did not answer within 10 s.")), storeTimeoutMs).unref();
	});
}

async function readGarbage(file: string): Promise<StorageReport["garbage"]> {
	const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
		if (error.code === "ENOENT") return "null";
		throw error;
	});
	return JSON.parse(text) as StorageReport["garbage"];
}
