import type { DirectoryListing, FileEntry } from "@repldock/protocol";
import { joinPath } from "./paths.ts";

/** Ids of the tree are paths with a slash before them, so that the project folder has one too. */
export const rootId = "/";
export const toId = (path: string) => `/${path}`;
export const toPath = (id: string) => id.slice(1);

export type TreeEntry = {
	path: string;
	name: string;
	kind: FileEntry["kind"];
	sizeBytes: number;
	/** Its folder holds more than is listed, which ends with this one. */
	isCut?: boolean;
};

export const rootEntry: TreeEntry = { path: "", name: "Project", kind: "directory", sizeBytes: 0 };

/** Lists one directory for the tree, leaving out what is hidden. */
export async function listForTree(
	node: { list(path: string): Promise<DirectoryListing> },
	path: string,
	isHidden: (path: string) => boolean,
): Promise<{ id: string; data: TreeEntry }[]> {
	const listing = await node.list(path);
	const entries = listing.entries.map((entry) => ({
		path: joinPath(path, entry.name),
		name: entry.name,
		kind: entry.kind,
		sizeBytes: entry.size,
	}));
	const shown = entries.filter((entry) => !isHidden(entry.path));
	return shown.map((entry, at) => {
		const isCut = listing.truncated && at === shown.length - 1;
		return { id: toId(entry.path), data: isCut ? { ...entry, isCut } : entry };
	});
}
