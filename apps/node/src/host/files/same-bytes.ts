import { closeSync, fstatSync, openSync, read, readSync, type Stats } from "node:fs";
import { promisify } from "node:util";
import type { FileTwins, TreeEntry } from "../../host-files.ts";
import { openChildFile, openDirectoryBelow, using } from "./resolve.ts";
import { nextData, openFlags } from "./syscalls.ts";

const readAsync = promisify(read);
const chunkBytes = 256 * 1024;

/** Files up to this size are read at once: for thousands of small ones the way to another thread is the longest part. */
const smallBytes = 64 * 1024;
const [firstSmall, secondSmall] = [Buffer.alloc(smallBytes + 1), Buffer.alloc(smallBytes + 1)];

/** Times that were carried over by a call that takes seconds as a number are this much off. */
const sameTimeWithinMs = 0.01;

export function isSameTime(one: number, other: number): boolean {
	return Math.abs(one - other) < sameTimeWithinMs;
}

/** @param size of both files. */
export async function haveSameBytes(one: number, other: number, size: number): Promise<boolean> {
	if (size <= smallBytes) {
		const first = firstSmall.subarray(0, readSync(one, firstSmall, 0, size + 1, 0));
		return first.equals(secondSmall.subarray(0, readSync(other, secondSmall, 0, size + 1, 0)));
	}
	for (let from = 0; ; ) {
		// A file of a terabyte may have few bytes: where both have holes they are the same.
		const at = Math.min(...[one, other].map((fd) => nextData(fd, from)?.start ?? size));
		if (at >= size) return true;
		const [first, second] = await Promise.all([readChunk(one, at), readChunk(other, at)]);
		if (!first.equals(second)) return false;
		if (first.length === 0) return true;
		from = at + first.length;
	}
}

async function readChunk(fd: number, at: number): Promise<Buffer> {
	const chunk = Buffer.allocUnsafe(chunkBytes);
	const { bytesRead } = await readAsync(fd, chunk, 0, chunk.length, at);
	return chunk.subarray(0, bytesRead);
}

/** See `FileTwins`. @param root of a tree that nobody changes meanwhile. */
export function openTwins(root: string): FileTwins {
	const rootFd = openSync(root, openFlags.O_RDONLY | openFlags.O_DIRECTORY);

	/** @returns null when there is no ordinary file of that path. */
	function open(path: Buffer): { fd: number; stats: Stats } | null {
		const slash = path.lastIndexOf("/");
		try {
			const directory = openDirectoryBelow(rootFd, path.subarray(0, Math.max(0, slash)));
			try {
				// Non-blocking: it may be a FIFO here.
				const fd = openChildFile(directory, path.subarray(slash + 1));
				const stats = fstatSync(fd);
				if (stats.isFile()) return { fd, stats };
				closeSync(fd);
				return null;
			} finally {
				closeSync(directory);
			}
		} catch {
			// Whatever it is that cannot be opened like a file of the project: it is no twin.
			return null;
		}
	}

	return {
		async find(entry: TreeEntry) {
			const candidate = open(entry.path);
			if (!candidate) return null;
			const { fd, stats } = candidate;
			const looksSame = stats.size === entry.size && isSameTime(stats.mtimeMs, entry.modifiedAtMs);
			if (looksSame && (await using(entry.open(), (own) => haveSameBytes(own, fd, entry.size)))) return fd;
			closeSync(fd);
			return null;
		},

		close: () => closeSync(rootFd),
	};
}
