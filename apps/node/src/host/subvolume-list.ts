import { findInRootTree, type RootItem, topLevel, whereDirectoryIs } from "./btrfs-calls.ts";

/** What a record of the file system's tree of subvolumes is about, as linux/btrfs_tree.h numbers it. */
const rootItem = 132;
const rootBackReference = 144;
const generationAt = 160;
const nameLengthAt = 16;
const nameAt = 18;
/** The number of the directory that the file system is mounted at. */
const mountedDirectory = 256n;

/**
 * How often each subvolume directly below the mount point had changed by the last commit, by path, without a program: asked for
 * every few seconds, whether anybody works or not. Null when the file system cannot be asked this way.
 */
export function createSubvolumeList(mountPoint: string): () => Promise<Map<string, number> | null> {
	/** Directories that hold subvolumes: ours are never renamed, and no number is used twice while the file system is mounted. */
	const directories = new Map([[mountedDirectory, ""]]);

	async function pathOf(directory: bigint): Promise<string | null> {
		const known = directories.get(directory);
		if (known !== undefined) return known;
		const path = await whereDirectoryIs(mountPoint, directory);
		if (path !== null) directories.set(directory, path);
		return path;
	}

	return async () => {
		const records = await findInRootTree(mountPoint, rootItem, rootBackReference);
		if (!records) return null;
		const generations = new Map<bigint, number>();
		for (const { id, type, data } of records) {
			if (type === rootItem) generations.set(id, Number(data.readBigUInt64LE(generationAt)));
		}
		const counts = new Map<string, number>();
		for (const { id, type, offset, data } of records) {
			// Subvolumes inside of volumes are strangers'. One that is being removed has no name any more.
			if (type !== rootBackReference || offset !== topLevel) continue;
			const path = await pathOf(data.readBigUInt64LE(0));
			const generation = generations.get(id);
			if (path === null || generation === undefined) return null;
			counts.set(path + nameIn(data), generation);
		}
		return counts;
	};
}

function nameIn(data: RootItem["data"]): string {
	return data.toString("utf8", nameAt, nameAt + data.readUInt16LE(nameLengthAt));
}
