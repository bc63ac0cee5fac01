import { closeSync, type Dir, lstatSync, openSync, read, readlinkSync } from "node:fs";
import { opendir } from "node:fs/promises";
import { promisify } from "node:util";
import { RepldockError } from "@repldock/protocol";
import type { TreeEntry } from "../../host-files.ts";
import {
	descriptorPath,
	entryPathOf,
	openChildDirectory,
	openChildFile,
	openDirectory,
	ownNamePrefix,
	splitPath,
} from "./resolve.ts";
import { nextData, openFlags } from "./syscalls.ts";

const readAsync = promisify(read);
const chunkBytes = 256 * 1024;

/** Each level holds two descriptors open while the walk is below it. */
const mostLevels = 2_000;

/** A file with more stretches than this is taken as having no more holes: a list of them must not fill the memory. */
const mostStretches = 10_000;

/** A directory on the way down: its descriptor names its entries, its stream lists them. */
interface Level {
	fd: number;
	entries: Dir;
	path: Buffer;
}

/**
 * Walks everything below a directory; see `FrozenFiles.walk`. Memory is bounded by the depth, not by the number of
 * entries. No link is followed and nothing but ordinary files is opened.
 * @throws RepldockError `invalid_path` for a tree that is too deep.
 */
export async function* walkTree(root: string, skips: (name: string) => boolean): AsyncGenerator<TreeEntry> {
	const levels: Level[] = [];
	async function enter(fd: number, path: Buffer) {
		try {
			// Latin 1 keeps every byte of a name, valid UTF-8 or not.
			const entries = await opendir(descriptorPath(fd), { encoding: "latin1", bufferSize: 256 });
			levels.push({ fd, entries, path });
		} catch (error) {
			closeSync(fd);
			throw error;
		}
	}

	await enter(openSync(root, openFlags.O_RDONLY | openFlags.O_DIRECTORY), Buffer.alloc(0));
	try {
		for (let level = levels.at(-1); level; level = levels.at(-1)) {
			const found = await level.entries.read();
			if (found === null) {
				levels.pop();
				await leave(level);
				continue;
			}
			if (found.name.startsWith(ownNamePrefix)) continue;
			const name = Buffer.from(found.name, "latin1");
			const entry = describe(level, name);
			if (!entry) continue;
			if (entry.kind !== "directory") {
				yield entry;
				continue;
			}
			if (skips(found.name)) continue;
			if (levels.length === mostLevels) {
				throw new RepldockError(
					"invalid_path",
					`Folders are nested more than ${mostLevels} deep. Delete some of them.`,
				);
			}
			yield entry;
			await enter(openChildDirectory(level.fd, name), entry.path);
		}
	} finally {
		for (const level of levels) await leave(level);
	}
}

/**
 * Walks what a path leads to and all that is below it, as `walkTree` does; paths begin with the path's last name. A link
 * there is told as a link.
 * @throws RepldockError `file_not_found`, and `invalid_path` for what is no file, folder or link.
 */
export async function* walkPath(root: string, path: string): AsyncGenerator<TreeEntry> {
	const { parent, name } = splitPath(path);
	const first = Buffer.from(name);
	const directory = openDirectory(root, parent);
	try {
		const entry = describe({ fd: directory, path: Buffer.alloc(0) }, first);
		if (!entry) throw new RepldockError("invalid_path", "This is no ordinary file, folder or link.");
		yield entry;
		if (entry.kind !== "directory") return;
		const inner = openChildDirectory(directory, first);
		try {
			for await (const below of walkTree(descriptorPath(inner), () => false)) {
				yield { ...below, path: Buffer.concat([first, Buffer.from("/"), below.path]) };
			}
		} finally {
			closeSync(inner);
		}
	} finally {
		closeSync(directory);
	}
}

async function leave(level: Level): Promise<void> {
	closeSync(level.fd);
	await level.entries.close();
}

/** @returns null for what is no file, folder or link: FIFOs, sockets, devices. */
function describe(level: Pick<Level, "fd" | "path">, name: Buffer): TreeEntry | null {
	const place = entryPathOf(level.fd, name);
	const stats = lstatSync(place);
	const kind = stats.isFile() ? "file" : stats.isDirectory() ? "directory" : stats.isSymbolicLink() ? "link" : null;
	if (kind === null) return null;
	const size = kind === "file" ? stats.size : 0;
	return {
		path: level.path.length === 0 ? name : Buffer.concat([level.path, Buffer.from("/"), name]),
		kind,
		mode: stats.mode & 0o777,
		modifiedAtMs: stats.mtimeMs,
		size,
		target: kind === "link" ? readlinkSync(place, "buffer") : Buffer.alloc(0),
		sharedId: kind === "file" && stats.nlink > 1 ? String(stats.ino) : null,
		data: () => (stats.blocks * 512 >= size ? whole(size) : stretchesOf(level.fd, name, size)),
		read: (stretch) => readStretch(level.fd, name, stretch),
		open: () => openChildFile(level.fd, name),
	};
}

function whole(size: number): { start: number; end: number }[] {
	return size === 0 ? [] : [{ start: 0, end: size }];
}

function stretchesOf(directory: number, name: Buffer, size: number): { start: number; end: number }[] {
	const fd = openChildFile(directory, name);
	try {
		const stretches: { start: number; end: number }[] = [];
		for (let at = 0; at < size; ) {
			const stretch = nextData(fd, at);
			if (!stretch) break;
			const full = stretches.length === mostStretches - 1;
			stretches.push({ start: stretch.start, end: full ? size : Math.min(size, stretch.end) });
			at = full ? size : stretch.end;
		}
		return stretches;
	} finally {
		closeSync(fd);
	}
}

async function* readStretch(
	directory: number,
	name: Buffer,
	{ start, end }: { start: number; end: number },
): AsyncGenerator<Buffer> {
	const fd = openChildFile(directory, name);
	try {
		for (let at = start; at < end; ) {
			const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, end - at));
			const { bytesRead } = await readAsync(fd, chunk, 0, chunk.length, at);
			if (bytesRead === 0) throw new Error("a file became shorter while it was read");
			yield chunk.subarray(0, bytesRead);
			at += bytesRead;
		}
	} finally {
		closeSync(fd);
	}
}
