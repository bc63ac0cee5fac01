import { mkdir, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { SnapshotName, Snapshots } from "../host-storage.ts";
import {
	createChangeCounts,
	deleteLoneSubvolume,
	removeStaleCounters,
	snapshotSubvolume,
	syncFileSystem,
} from "./btrfs.ts";
import { sendSnapshot } from "./btrfs-calls.ts";
import { openKernelPipe } from "./kernel-pipe.ts";
import { receiving, sending } from "./piped-commands.ts";

const volumePattern = /^[0-9a-f-]{36}$/;
const snapshotPattern = /^\.checkpoints\/([0-9a-f-]{36})\/(\d+\.\d+)$/;
const countersWorthClearing = 200;

const namePattern = /^\d+\.\d+$/;

/**
 * Snapshots of the volumes below `mountPoint`, each at `.checkpoints/<project>/<name>`. What is being received is there
 * too but not read-only yet; the caller knows which names are whole.
 * @param directoryName where they are: beside the volumes and on their file system; containers see their own volume alone.
 */
export function createSnapshots(mountPoint: string, directoryName = ".checkpoints"): Snapshots {
	const changeCounts = createChangeCounts(mountPoint);
	let staleCounters = 0;

	const directory = (projectId: string) => {
		if (!volumePattern.test(projectId)) throw new Error(`${projectId} is no project id`);
		return join(mountPoint, directoryName, projectId);
	};
	const path = (projectId: string, name: string) => {
		if (!namePattern.test(name)) throw new Error(`${name} is no name of a snapshot`);
		return join(directory(projectId), name);
	};

	async function makeDirectory(projectId: string): Promise<string> {
		const place = directory(projectId);
		await mkdir(place, { recursive: true, mode: 0o700 });
		return place;
	}

	/** Older kernels keep the counter of a subvolume that is gone, so now and then they are cleared away. */
	async function clearCounters(removed: number): Promise<void> {
		staleCounters += removed;
		if (staleCounters < countersWorthClearing) return;
		staleCounters = 0;
		await removeStaleCounters(mountPoint);
	}

	async function remove(snapshots: readonly SnapshotName[]): Promise<void> {
		const paths = snapshots.map(({ projectId, name }) => path(projectId, name));
		const present = await Promise.all(paths.map((place) => stat(place).catch(ignoreMissing)));
		const doomed = paths.filter((_, at) => present[at]);
		// A snapshot has no subvolumes inside: those of the volume are empty directories in it.
		for (const place of doomed) await deleteLoneSubvolume(place);
		for (const place of new Set(doomed.map(dirname))) await rmdir(place).catch(ignoreInUse);
		await clearCounters(doomed.length);
	}

	return {
		path,
		remove,

		async flush() {
			await syncFileSystem(mountPoint);
		},

		async survey() {
			const volumes = new Map<string, number>();
			const snapshots = new Map<string, Map<string, number>>();
			for (const [subvolume, count] of await changeCounts()) {
				if (volumePattern.test(subvolume)) volumes.set(subvolume, count);
				const [, projectId, name] = snapshotPattern.exec(subvolume) ?? [];
				if (projectId === undefined || name === undefined) continue;
				const named = snapshots.get(projectId) ?? new Map<string, number>();
				snapshots.set(projectId, named.set(name, count));
			}
			return { volumes, snapshots };
		},

		async take(projectId, name) {
			await makeDirectory(projectId);
			await snapshotSubvolume(join(mountPoint, projectId), path(projectId, name), "read-only");
		},

		send(snapshot, parent, through) {
			const from = parent === null ? [] : ["-p", path(parent.projectId, parent.name)];
			return sending(["btrfs", "send", "--quiet", ...from, path(snapshot.projectId, snapshot.name)], through);
		},

		async sendSmall(snapshot, parent) {
			// A pipe that fails when it is full, in place of a reader: nothing keeps the thread but the disk, and the bytes are few.
			const pipe = openKernelPipe("fail");
			try {
				const from = parent && path(parent.projectId, parent.name);
				const isSent = await sendSnapshot(path(snapshot.projectId, snapshot.name), from, pipe.writeEnd);
				return isSent ? pipe.takeAll() : null;
			} finally {
				pipe.close();
			}
		},

		async receive(projectId, bytes) {
			// To the end of what it is given: one that stops at the end mark (`-e`) closes its input before we do, at times.
			await receiving(["btrfs", "receive", "--quiet", await makeDirectory(projectId)], bytes);
		},
	};
}

function ignoreMissing(error: NodeJS.ErrnoException): null {
	if (error.code === "ENOENT") return null;
	throw error;
}

function ignoreInUse(error: NodeJS.ErrnoException): void {
	if (error.code !== "ENOTEMPTY") ignoreMissing(error);
}
