import type { Readable } from "node:stream";
import type { DirectoryListing, FileEntry } from "@repldock/protocol";
import type { RunnerId } from "../subordinate-ids.ts";
import { withFileErrors } from "./errors.ts";
import { listDirectory, type OpenFile, openFile, readEntry, readWholeFile } from "./read.ts";
import { removeEntry } from "./remove.ts";
import { type StopWatching, watchDirectory } from "./watch.ts";
import { makeDirectory, moveEntry, receiveFile, replaceFile } from "./write.ts";

export type { OpenFile } from "./read.ts";
export type { StopWatching } from "./watch.ts";

/**
 * The files of one project as the agent may touch them. Paths are `ProjectPath` texts. What a hostile program can make
 * of them (links out, swaps while we look, FIFOs, devices, deep or huge trees) is refused or harmless.
 *
 * All throw RepldockError: `invalid_path` (not inside, a link out, no ordinary file), `file_not_found`,
 * `already_exists`, `file_too_large`, `quota_exceeded` (the project's), `disk_full` (the server's), `not_allowed`.
 */
export interface ProjectFiles {
	/** At most `limit` entries, directories first. */
	list(path: string, limit: number): Promise<DirectoryListing>;
	/** A link is told as a link. */
	stat(path: string): Promise<FileEntry>;
	readFile(path: string, options: { maxBytes: number }): Promise<Buffer>;
	/** For large files and ranges; the caller streams it or closes it. */
	openFile(path: string): Promise<OpenFile>;
	/** Replaces the whole content at once, or makes the file; see `replaceFile` for links and hard links. */
	writeFile(path: string, content: Uint8Array | string): Promise<FileEntry>;
	/** Takes an upload; missing folders are made. The stream is read to its end or destroyed. */
	receive(path: string, content: Readable, options: { overwrite: boolean; maxBytes?: number }): Promise<FileEntry>;
	/** Makes a folder and those above it. */
	makeDirectory(path: string): Promise<FileEntry>;
	/** Never replaces anything. */
	move(from: string, to: string): Promise<FileEntry>;
	/** Removes a file, a link itself, or a folder with all that is in it. */
	remove(path: string): Promise<void>;
	/** See `watchDirectory`. */
	watchDirectory(path: string, onChange: (name: string | null) => void): Promise<StopWatching>;
}

/**
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
