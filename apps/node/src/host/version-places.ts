import { mkdir, readdir, rename, rmdir, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { VersionPlaces } from "../host-storage.ts";
import { deleteSubvolume, removeStaleCounters, snapshotSubvolume, subvolumeUsage } from "./btrfs.ts";
import { createSnapshots } from "./snapshots.ts";

const directoryName = ".versions";

/**
 * A read-only subvolume cannot be moved into another directory, so what is whole has the name under which it was received
 * and this ending.
 */
const wholeEnding = ".whole";

/** Versions at `.versions/<project>/<generation>.<sequence>.whole` below the mount point of the volumes. */
export function createVersionPlaces(mountPoint: string): VersionPlaces {
	const received = createSnapshots(mountPoint, directoryName);
	const local = createSnapshots(mountPoint);
	const root = join(mountPoint, directoryName);
	const path = (projectId: string, versionId: string) => `${received.path(projectId, versionId)}${wholeEnding}`;

	async function removeAllOf(directory: string) {
		for (const name of (await readdir(directory).catch(ignoreMissing)) ?? []) await removeOne(join(directory, name));
		await rmdir(directory).catch(ignoreMissing);
	}

	async function removeOne(place: string) {
		if (await stat(place).catch(ignoreMissing)) await deleteSubvolume(mountPoint, place);
	}

	return {
		path,

		async takeLocal(projectId, versionId) {
			const from = local.path(projectId, versionId);
			const to = path(projectId, versionId);
			try {
				await mkdir(dirname(to), { recursive: true, mode: 0o700 });
				await snapshotSubvolume(from, to, "read-only");
				return true;
			} catch (error) {
				// It went in this moment, since a later one is durable.
				if (!(await stat(from).catch(ignoreMissing))) return false;
				throw error;
			}
		},

		receive: received.receive,
		removeReceived: (projectId, names) => received.remove(names.map((name) => ({ projectId, name }))),
		keepReceived: (projectId, name, versionId) => rename(received.path(projectId, name), path(projectId, versionId)),

		async remove(projectId, versionId) {
			await removeOne(path(projectId, versionId));
			await removeStaleCounters(mountPoint);
		},

		async removeAll(projectId) {
			const projects = projectId === undefined ? await readdir(root).catch(ignoreMissing) : [projectId];
			for (const name of projects ?? []) await removeAllOf(dirname(received.path(name, "1.1")));
			await removeStaleCounters(mountPoint);
		},

		async usedBytes(projectId, versionId) {
			await received.flush();
			return (await subvolumeUsage(path(projectId, versionId))).usedBytes;
		},

		async disk() {
			const { bsize, bavail, blocks } = await statfs(mountPoint);
			return { freeBytes: bsize * bavail, totalBytes: bsize * blocks };
		},
	};
}

function ignoreMissing(error: NodeJS.ErrnoException): null {
	if (error.code === "ENOENT") return null;
	throw error;
}
