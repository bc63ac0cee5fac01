import { closeSync, fstatSync, openSync } from "node:fs";
import { opendir, rmdir, unlink } from "node:fs/promises";
import { RepldockError } from "@repldock/protocol";
import { descriptorPath, entryPathOf, openChildDirectory, openDirectory, splitPath } from "./resolve.ts";
import { openFlags } from "./syscalls.ts";

/** Entries of one directory that are removed before it is looked at anew. */
const batchSize = 512;

/** Times that a directory is found changed by a program before we give up. */
const mostSurprises = 200;

/** As it is on disk: bytes that need not be UTF-8. */
type Name = string | Buffer;

/** A directory on the way down, known by what it is; its descriptor is closed while we are below it. */
interface Level {
	/** Its name in the level above. */
	name: Name;
	device: number;
	inode: number;
}

/**
 * Removes a path with all that is below it, whatever programs do to it meanwhile. At most three descriptors are open,
 * however deep it goes: the way up is `..`, taken only when it leads to the very directory that we came from. Links are
 * removed, never followed. Needs no free space, since nothing is made or moved.
 */
export async function removeEntry(root: string, path: string): Promise<void> {
	const { parent, name } = splitPath(path);
	const directory = openDirectory(root, parent);
	try {
		for (let attempt = 1; !(await removeOne(directory, name)); attempt += 1) {
			if (attempt > mostSurprises) throw keepsChanging();
			await emptyTree(directory, name);
		}
	} finally {
		closeSync(directory);
	}
}

/** @returns false when it is a directory that holds something. */
async function removeOne(directory: number, name: Name): Promise<boolean> {
	const place = entryPathOf(directory, Buffer.from(name));
	try {
		await unlink(place);
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EISDIR") throw error;
	}
	try {
		await rmdir(place);
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOTEMPTY") return false;
		throw error;
	}
}

/** Walks down to where directories can be emptied and back up. Returns early when a program changed the way. */
async function emptyTree(directory: number, name: Name): Promise<void> {
	let current = openChildDirectory(directory, name);
	try {
		const way: Level[] = [levelOf(current, name)];
		let surprises = 0;
		while (way.length > 0) {
			const full = await emptyDirectory(current);
			if (full !== null) {
				const below = openChildIfThere(current, full);
				if (below === null) {
					surprises += 1;
					if (surprises > mostSurprises) throw keepsChanging();
					continue;
				}
				closeSync(current);
				current = below;
				way.push(levelOf(current, full));
				continue;
			}
			const done = way.pop();
			const above = way.at(-1);
			if (!done || !above) return;
			const up = openSync(`${descriptorPath(current)}/..`, openFlags.O_RDONLY | openFlags.O_DIRECTORY);
			closeSync(current);
			current = up;
			const { dev, ino } = fstatSync(up);
			if (dev !== above.device || ino !== above.inode) return;
			// What was empty may have been filled again; then it is found again by the level above.
			if (!(await removeOne(current, done.name).catch(ignoreGone))) {
				surprises += 1;
				if (surprises > mostSurprises) throw keepsChanging();
			}
		}
	} finally {
		closeSync(current);
	}
}

/** Removes what is no directory, batch by batch. @returns the name of the first directory met, or null when empty. */
async function emptyDirectory(directory: number): Promise<Name | null> {
	for (;;) {
		const names: Name[] = [];
		let inner: Name | null = null;
		// Latin 1 keeps every byte of a name, valid UTF-8 or not.
		for await (const entry of await opendir(descriptorPath(directory), { encoding: "latin1", bufferSize: 256 })) {
			const name = Buffer.from(entry.name, "latin1");
			if (entry.isDirectory()) inner = name;
			else names.push(name);
			if (inner || names.length === batchSize) break;
		}
		await Promise.all(names.map((name) => removeOne(directory, name).catch(ignoreGone)));
		if (inner || names.length === 0) return inner;
	}
}

/** @returns null when it is gone or no directory any more. */
function openChildIfThere(directory: number, name: Name): number | null {
	try {
		return openChildDirectory(directory, name);
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP") return null;
		throw error;
	}
}

function levelOf(fd: number, name: Name): Level {
	const { dev, ino } = fstatSync(fd);
	return { name, device: dev, inode: ino };
}

function ignoreGone(error: NodeJS.ErrnoException): true {
	if (error.code === "ENOENT") return true;
	throw error;
}

function keepsChanging(): RepldockError {
	return new RepldockError("not_allowed", "A program keeps putting files there. Stop it and try again.");
}
