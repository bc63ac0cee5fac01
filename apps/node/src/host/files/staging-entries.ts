import { closeSync, fchmodSync, fchownSync, ftruncateSync, mkdirSync, write } from "node:fs";
import { promisify } from "node:util";
import { RepldockError } from "@repldock/protocol";
import type { NewFile, TreeEntry } from "../../host-files.ts";
import type { RunnerId } from "../subordinate-ids.ts";
import { entryPathOf, openChildDirectory, openDirectoryBelow } from "./resolve.ts";
import { exchangeNames, renameWithoutReplacing } from "./syscalls.ts";

/** What a staging folder's entries are made with; see staging.ts. */
const writeAsync = promisify(write);

/** Times that a program is found to put something in the way, or to take it away, before we give up. */
const mostSurprises = 100;

/** @returns null when there is nothing of that name. @throws RepldockError when it is a link or a file. */
export function openOrNull(directory: number, path: Buffer): number | null {
	try {
		return openDirectoryBelow(directory, path);
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "ENOENT") return null;
		if (code === "ELOOP" || code === "ENOTDIR") throw inTheWay(path);
		throw error;
	}
}

/** Makes a folder. Its mode is set through a descriptor: by its name, a program could have put a link in its place. */
export function makeOwned(directory: number, name: Buffer, mode: number, owner: RunnerId): number {
	mkdirSync(entryPathOf(directory, name), 0o700);
	const fd = openChildDirectory(directory, name);
	try {
		fchownSync(fd, owner.uid, owner.gid);
		fchmodSync(fd, mode & 0o777);
		return fd;
	} catch (error) {
		closeSync(fd);
		throw error;
	}
}

export async function writeStretches(fd: number, file: NewFile, content: AsyncIterable<Buffer>): Promise<void> {
	const stretches = file.stretches.values();
	let stretch = stretches.next().value;
	let at = stretch?.start ?? 0;
	for await (const chunk of content) {
		for (let written = 0; written < chunk.length; ) {
			while (stretch && at >= stretch.end) {
				stretch = stretches.next().value;
				at = stretch?.start ?? at;
			}
			const most = stretch ? stretch.end - at : 0;
			if (most === 0) throw new RepldockError("invalid_archive", "A file in the archive is longer than it says.");
			const length = Math.min(chunk.length - written, most);
			const { bytesWritten } = await writeAsync(fd, chunk, written, length, at);
			written += bytesWritten;
			at += bytesWritten;
		}
	}
	ftruncateSync(fd, file.size);
}

export function joinNames(names: readonly Buffer[]): Buffer {
	return Buffer.from(names.map((name) => name.toString("latin1")).join("/"), "latin1");
}

export function inTheWay(name: Buffer): RepldockError {
	const shown = JSON.stringify(name.subarray(-80).toString("utf8"));
	return new RepldockError(
		"invalid_archive",
		`The archive holds ${shown} twice, once as a folder and once as a file or link. Pack it anew.`,
	);
}

/** All bytes of a file, holes aside. */
export async function* readAll(entry: TreeEntry, stretches: NewFile["stretches"]): AsyncGenerator<Buffer> {
	for (const stretch of stretches) yield* entry.read(stretch);
}

/** Gives what is staged a name in the project. What has the name is there whole until then, and in its place afterwards. */
export function takePlace(staged: string, place: string) {
	for (let attempt = 1; ; attempt += 1) {
		try {
			renameWithoutReplacing(staged, place);
			return;
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "EEXIST" || attempt > mostSurprises) throw error;
		}
		try {
			exchangeNames(staged, place);
			return;
		} catch (error) {
			// A program removed it in this moment.
			if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
		}
	}
}
