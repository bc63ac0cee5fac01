import { closeSync, lstatSync, openSync, readlinkSync, type Stats } from "node:fs";
import { opendir } from "node:fs/promises";
import { setImmediate as otherWork } from "node:timers/promises";
import type { FileChange, VersionChanges } from "@repldock/protocol";
import { kindOf } from "./read.ts";
import { descriptorPath, entryPathOf, openChildDirectory, openChildFile, ownNamePrefix } from "./resolve.ts";
import { haveSameBytes, isSameTime } from "./same-bytes.ts";
import { openFlags } from "./syscalls.ts";

/** How much is looked at, and told, before the rest is left out. */
export interface CompareLimits {
	changes: number;
	/** Entries of both trees. */
	entries: number;
	entriesOfOneDirectory: number;
	levels: number;
	/** Bytes of files whose times differ that are read and compared: of one, and of all. */
	bytesOfOneFile: number;
	bytes: number;
	/** Bytes of files of the same size and time that are read and compared. */
	bytesOfSameTime: number;
}

const usualLimits: CompareLimits = {
	changes: 5_000,
	entries: 400_000,
	entriesOfOneDirectory: 100_000,
	levels: 500,
	bytesOfOneFile: 1024 * 1024,
	bytes: 256 * 1024 * 1024,
	bytesOfSameTime: 512 * 1024 * 1024,
};

/** Entries, and files that are read, between which others have their turn. */
const entriesAtATime = 256;
const filesAtATime = 16;

/**
 * What differs between two trees that nobody changes meanwhile, by path. No link is followed, and nothing but ordinary
 * files is opened. A file that no program has touched (`isUntouched`) counts as the same. Others of the same size are compared
 * byte by byte; what is too large for that counts as modified when its time is another one, and as the same, but counted in
 * `unread`, when it is not. What is of another kind is told twice: as removed, and as added.
 */
export async function compareTrees(
	before: string,
	after: string,
	limits: CompareLimits = usualLimits,
): Promise<VersionChanges> {
	const changes: FileChange[] = [];
	let truncated = false;
	let entriesLeft = limits.entries;
	let bytesLeft = limits.bytes;
	let bytesOfSameTimeLeft = limits.bytesOfSameTime;
	let filesRead = 0;
	let unread = 0;

	function tell(path: string, change: FileChange["change"], stats: Stats) {
		if (changes.length === limits.changes) truncated = true;
		else changes.push({ path: Buffer.from(path, "latin1").toString("utf8"), change, kind: kindOf(stats) });
	}

	const isOver = () => entriesLeft <= 0 || (truncated && changes.length === limits.changes);

	/** @returns null when there are too many. Names are Latin 1, which keeps every byte of them. */
	async function namesOf(directory: number): Promise<Set<string> | null> {
		const found = new Set<string>();
		for await (const { name } of await opendir(descriptorPath(directory), { encoding: "latin1", bufferSize: 256 })) {
			if (name.startsWith(ownNamePrefix)) continue;
			if (found.size === limits.entriesOfOneDirectory) return null;
			found.add(name);
		}
		return found;
	}

	async function compareDirectories(old: number, present: number, path: string, level: number): Promise<void> {
		const [oldNames, presentNames] = [await namesOf(old), await namesOf(present)];
		if (!oldNames || !presentNames || level > limits.levels) {
			truncated = true;
			return;
		}
		for (const name of [...new Set([...oldNames, ...presentNames])].sort()) {
			if (isOver()) {
				truncated = true;
				return;
			}
			entriesLeft -= 1;
			if (entriesLeft % entriesAtATime === 0) await otherWork();
			await compareEntries(old, present, name, path === "" ? name : `${path}/${name}`, level);
		}
	}

	async function compareEntries(old: number, present: number, name: string, path: string, level: number) {
		const bytes = Buffer.from(name, "latin1");
		const was = lstatSync(entryPathOf(old, bytes), { throwIfNoEntry: false });
		const is = lstatSync(entryPathOf(present, bytes), { throwIfNoEntry: false });
		if (was && is && kindOf(was) === kindOf(is)) {
			if (is.isDirectory()) {
				await withChildren(old, present, bytes, openChildDirectory, (oldFd, presentFd) =>
					compareDirectories(oldFd, presentFd, path, level + 1),
				);
			} else if (await differ(old, present, bytes, was, is)) tell(path, "modified", is);
			return;
		}
		if (was) tell(path, "removed", was);
		if (is) tell(path, "added", is);
	}

	async function differ(old: number, present: number, name: Buffer, was: Stats, is: Stats): Promise<boolean> {
		if (is.isSymbolicLink()) {
			const [from, to] = [old, present].map((fd) => readlinkSync(entryPathOf(fd, name), "buffer"));
			return !from?.equals(to ?? Buffer.alloc(0));
		}
		if (!is.isFile()) return false;
		if (was.size !== is.size) return true;
		if (isUntouched(was, is)) return false;
		if (isSameTime(was.mtimeMs, is.mtimeMs)) {
			if (is.size > bytesOfSameTimeLeft) {
				unread += 1;
				return false;
			}
			bytesOfSameTimeLeft -= is.size;
		} else {
			if (is.size > Math.min(limits.bytesOfOneFile, bytesLeft)) return true;
			bytesLeft -= is.size;
		}
		filesRead += 1;
		if (filesRead % filesAtATime === 0) await otherWork();
		return !(await withChildren(old, present, name, openChildFile, (one, other) => haveSameBytes(one, other, is.size)));
	}

	const [old, present] = [before, after].map((root) => openSync(root, openFlags.O_RDONLY | openFlags.O_DIRECTORY));
	try {
		await compareDirectories(old as number, present as number, "", 1);
	} finally {
		for (const fd of [old, present]) closeSync(fd as number);
	}
	return { changes, truncated, unread };
}

/**
 * Whether it is the very file, as it is in two snapshots of one subvolume, and nothing was done to it in between: programs
 * can set every time of a file but this one. In what was received from the store it never is the same file.
 */
function isUntouched(was: Stats, is: Stats): boolean {
	return was.ino === is.ino && was.ctimeMs === is.ctimeMs;
}

async function withChildren<T>(
	old: number,
	present: number,
	name: Buffer,
	open: (directory: number, name: Buffer) => number,
	job: (old: number, present: number) => Promise<T>,
): Promise<T> {
	const oldFd = open(old, name);
	try {
		const presentFd = open(present, name);
		try {
			return await job(oldFd, presentFd);
		} finally {
			closeSync(presentFd);
		}
	} finally {
		closeSync(oldFd);
	}
}
