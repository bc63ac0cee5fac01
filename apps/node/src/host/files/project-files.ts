import type { ProjectFiles } from "../../host-files.ts";
import type { RunnerId } from "../subordinate-ids.ts";
import { withFileErrors } from "./errors.ts";
import { listDirectory, openFile, readEntry, readWholeFile } from "./read.ts";
import { removeEntry } from "./remove.ts";
import { watchDirectory } from "./watch.ts";
import { makeDirectory, moveEntry, receiveFile, replaceFile } from "./write.ts";

/**
 * Project files by openat2; see `ProjectFiles`.
 * @param root the volume's root directory on the host; trusted, opened anew for each call.
 * @param owner who owns what is made here.
 */
export function openProjectFiles(root: string, owner: RunnerId): ProjectFiles {
	return {
		list: (path, limit) => withFileErrors(() => listDirectory(root, path, limit)),
		stat: (path) => withFileErrors(() => readEntry(root, path)),
		readFile: (path, { maxBytes }) => withFileErrors(() => readWholeFile(root, path, maxBytes)),
		openFile: (path) => withFileErrors(() => openFile(root, path)),
		writeFile: (path, content) => withFileErrors(() => replaceFile(root, owner, path, content)),
		receive: (path, content, options) =>
			withFileErrors(async () => {
				try {
					return await receiveFile(root, owner, path, content, options);
				} finally {
					content.destroy();
				}
			}),
		makeDirectory: (path) => withFileErrors(() => makeDirectory(root, owner, path)),
		move: (from, to) => withFileErrors(() => moveEntry(root, from, to)),
		remove: (path) => withFileErrors(() => removeEntry(root, path)),
		watchDirectory: (path, onChange) => withFileErrors(() => watchDirectory(root, path, onChange)),
	};
}
