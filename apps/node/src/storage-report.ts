import { statfs } from "node:fs/promises";
import { type ObjectConfig, type ObjectStore, objectLocation, openObjectStore, probeWrites } from "@repldock/objects";
import { type LastCollection, readLastCollection } from "./checkpoints/garbage-schedule.ts";
import type { StoreFailure } from "./checkpoints/lag.ts";
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
	/**
	 * Volumes that hold what is not in the object store, with the time up to which they are there, and since when the agent
	 * has had something to store: null when it found nothing at its last look, or the volume is not this node's to store.
	 */
	dirty: { projectId: string; upTo: string | null; since: string | null }[];
	/** Stored, but not yet recorded by the site. */
	unreported: number;
	store: {
		description: string;
		objects: number;
		more: boolean;
		oldestAt: string | null;
		/** Why it could not be listed just now, or did not take a small object and remove it. */
		problem: string | null;
		/** What the agent met when it last stored something; null when that succeeded. */
		failure: StoreFailure | null;
	};
	garbage: LastCollection | null;
}

type SeenStore = Omit<StorageReport["store"], "failure">;

export async function reportStorage(
	config: NodeConfig,
	paths: NodePaths,
	objects: ObjectConfig,
): Promise<StorageReport> {
	const { mountPoint } = volumeStore(config, paths);
	const [{ volumes }, { durable, unreported, behind, storeFailure }, disk, store, garbage] = await Promise.all([
		createSnapshots(mountPoint).survey(),
		readCheckpoints(paths.checkpoints),
		statfs(mountPoint),
		lookAtStore(objects, paths.data),
		readLastCollection(paths.garbage),
	]);
	const dirty = [...volumes]
		.filter(([projectId, changes]) => durable[projectId]?.changes !== changes)
		.map(([projectId]) => ({
			projectId,
			upTo: durable[projectId]?.upTo ?? null,
			since: behind[projectId] ?? null,
		}));
	return {
		volumes: {
			count: volumes.size,
			usedBytes: (disk.blocks - disk.bfree) * disk.bsize,
			freeBytes: disk.bavail * disk.bsize,
		},
		dirty,
		unreported: unreported.length,
		store: { ...store, failure: storeFailure },
		garbage,
	};
}

async function lookAtStore(objects: ObjectConfig, data: string): Promise<SeenStore> {
	const location = objectLocation(objects, data);
	const seen: SeenStore = {
		description: location.kind,
		objects: 0,
		more: false,
		oldestAt: null,
		problem: null,
	};
	try {
		const store = await openObjectStore(location, objects);
		seen.description = store.description;
		await Promise.race([list(store, seen).then(() => probeWrites(store)), tooLong()]);
		return seen;
	} catch (error) {
		return { ...seen, problem: error instanceof Error ? error.message : String(error) };
	}
}

async function list(store: ObjectStore, seen: SeenStore) {
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
