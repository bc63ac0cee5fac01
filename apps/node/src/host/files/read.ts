import { closeSync, createReadStream, fstatSync, openSync, read, type Stats } from "node:fs";
import { lstat, opendir } from "node:fs/promises";
import { promisify } from "node:util";
import { type DirectoryListing, type FileEntry, RepldockError } from "@repldock/protocol";
import type { OpenFile } from "../../host-files.ts";
import {
	descriptorPath,
	entryPath,
	openDirectory,
	openEntry,
	ownNamePrefix,
	requireFile,
	splitPath,
	using,
} from "./resolve.ts";
import { openFlags } from "./syscalls.ts";

/** A directory with more entries than this is listed as far as it was read. */
const mostEntriesRead = 100_000;
const readAsync = promisify(read);

export function toEntry(name: string, stats: Stats): FileEntry {
	return { name, kind: kindOf(stats), size: stats.isFile() ? stats.size : 0, modifiedAtMs: stats.mtimeMs };
}

/** A link is told as a link, wherever it leads. */
export function readEntry(root: string, path: string): Promise<FileEntry> {
	const name = path === "" ? "" : splitPath(path).name;
	return using(openEntry(root, path, openFlags.O_NOFOLLOW), (fd) => toEntry(name, fstatSync(fd)));
}

/** Directories first, then by name. A name that is no UTF-8 is shown as well as it can be; no path reaches it. */
export function listDirectory(root: string, path: string, limit: number): Promise<DirectoryListing> {
	return using(openDirectory(root, path), async (fd) => {
		const found: { name: string; directory: boolean }[] = [];
		let truncated = false;
		// Opens the directory anew through its descriptor, so that the stream has a position of its own.
		for await (const { name, ...entry } of await openEntries(descriptorPath(fd))) {
			if (name.startsWith(ownNamePrefix)) continue;
			truncated = found.length === mostEntriesRead;
			if (truncated) break;
			found.push({ name, directory: entry.directory });
		}
		found.sort((a, b) => Number(b.directory) - Number(a.directory) || (a.name < b.name ? -1 : 1));
		const listed = await Promise.all(found.slice(0, limit).map(({ name }) => entryOf(fd, name)));
		return { path, entries: listed.filter((entry) => entry !== null), truncated: truncated || found.length > limit };
	});
}

/** @throws RepldockError `file_too_large` when it holds more than `maxBytes`. */
export async function readWholeFile(root: string, path: string, maxBytes: number): Promise<Buffer> {
	return using(openForReading(root, path).fd, async (fd) => {
		const size = fstatSync(fd).size;
		if (size > maxBytes) throw tooLarge(maxBytes);
		// One byte more than it has shows whether it grows meanwhile.
		let bytes = Buffer.alloc(size + 1);
		for (let length = 0; ; ) {
			const { bytesRead } = await readAsync(fd, bytes, length, bytes.length - length, length);
			length += bytesRead;
			if (bytesRead === 0) return bytes.subarray(0, length);
			if (length > maxBytes) throw tooLarge(maxBytes);
			if (length === bytes.length) bytes = Buffer.concat([bytes, Buffer.alloc(Math.min(bytes.length, 1024 * 1024))]);
		}
	});
}

export function openFile(root: string, path: string): OpenFile {
	const { fd, stats } = openForReading(root, path);
	return {
		entry: toEntry(splitPath(path).name, stats),
		createReadStream: (range) => createReadStream("", { fd, ...range }),
		close: () => using(fd, () => undefined),
	};
}

/** What it is gets looked at before it is opened: opening alone would block on a FIFO and act on a device. */
function openForReading(root: string, path: string): { fd: number; stats: Stats } {
	const named = openEntry(root, path);
	try {
		const stats = requireFile(named);
		return { fd: openSync(descriptorPath(named), openFlags.O_RDONLY | openFlags.O_NONBLOCK), stats };
	} finally {
		closeSync(named);
	}
}

async function* openEntries(path: string): AsyncGenerator<{ name: string; directory: boolean }> {
	for await (const entry of await opendir(path, { bufferSize: 256 })) {
		yield { name: entry.name, directory: entry.isDirectory() };
	}
}

/** @returns null for one that is gone meanwhile. */
async function entryOf(directory: number, name: string): Promise<FileEntry | null> {
	try {
		return toEntry(name, await lstat(entryPath(directory, name)));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
		return name.includes("\uFFFD") ? { name, kind: "other", size: 0, modifiedAtMs: 0 } : null;
	}
}

export function kindOf(stats: Stats): FileEntry["kind"] {
	if (stats.isFile()) return "file";
	if (stats.isDirectory()) return "directory";
	return stats.isSymbolicLink() ? "link" : "other";
}

function tooLarge(maxBytes: number): RepldockError {
	return new RepldockError("file_too_large", `This file is larger than ${Math.floor(maxBytes / 1024)} KiB.`);
}
