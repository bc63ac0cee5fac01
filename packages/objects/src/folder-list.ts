import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, folderError } from "./folder-errors.ts";
import { compareKeys, isKey } from "./keys.ts";

/**
 * Keys below a folder in byte order, one directory's names in memory at a time. A directory counts as its name with a
 * slash behind it: that is where its objects stand among the others (`a-b` < `a/b` < `a0`).
 */
export async function* listFolder(root: string, prefix: string, after: string, parent = ""): AsyncGenerator<string> {
	const names = [];
	for (const entry of await entriesOf(join(root, parent), root)) {
		const name = parent + entry.name + (entry.isDirectory() ? "/" : "");
		if (isKey(parent + entry.name) && mayHold(name, prefix) && mayFollow(name, after)) names.push(name);
	}
	for (const name of names.sort(compareKeys)) {
		if (name.endsWith("/")) yield* listFolder(root, prefix, after, name);
		else yield name;
	}
}

async function entriesOf(directory: string, root: string) {
	try {
		return await readdir(directory, { withFileTypes: true });
	} catch (error) {
		// It became empty and was removed after its parent was read.
		if (errorCode(error) === "ENOENT") return [];
		throw folderError(error, root);
	}
}

function mayHold(name: string, prefix: string): boolean {
	return name.startsWith(prefix) || (name.endsWith("/") && prefix.startsWith(name));
}

function mayFollow(name: string, after: string): boolean {
	return compareKeys(name, after) > 0 || (name.endsWith("/") && after.startsWith(name));
}
