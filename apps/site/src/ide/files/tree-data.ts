import type { FileEntry } from "@repldock/protocol";
import type { NodeClient } from "../connection/node-client.ts";
import { joinPath } from "./paths.ts";

/** Ids of the tree are paths with a slash before them, so that the project folder has one too. */
export const rootId = "/";
export const toId = (path: string) => `/${path}`;
export const toPath = (id: string) => id.slice(1);

export type TreeEntry = { path: string; name: string; kind: FileEntry["kind"]; sizeBytes: number };

export const rootEntry: TreeEntry = { path: "", name: "Project", kind: "directory", sizeBytes: 0 };

/** Lists one directory for the tree, leaving out what is hidden. */
export async function listForTree(
	node: Pick<NodeClient, "list">,
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
	return entries.filter((entry) => !isHidden(entry.path)).map((entry) => ({ id: toId(entry.path), data: entry }));
}
