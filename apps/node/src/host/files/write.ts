import { randomBytes } from "node:crypto";
import {
	closeSync,
	fchmodSync,
	fchownSync,
	fstatSync,
	lchownSync,
	lstatSync,
	mkdirSync,
	readlinkSync,
	realpathSync,
	renameSync,
	type Stats,
	unlinkSync,
	write,
	writeFile,
} from "node:fs";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { type FileEntry, RepldockError } from "@repldock/protocol";
import type { RunnerId } from "../subordinate-ids.ts";
import { toEntry } from "./read.ts";
import {
	descriptorPath,
	entryPath,
	openDirectory,
	openEntry,
	openNamelessFile,
	ownNamePrefix,
	requireFile,
	splitPath,
	using,
} from "./resolve.ts";
import { linkOpenFile, renameWithoutReplacing } from "./syscalls.ts";

const writeAsync = promisify(write);
const writeFileAsync = promisify(writeFile);
const newFileMode = 0o644;
const newDirectoryMode = 0o755;

/** Where a new content goes: a name in an open directory, and the file that has the name now. */
interface Target {
	directory: number;
	name: string;
	existing: Stats | null;
}

/**
 * Puts new content under a path, whole or not at all: it is written into a nameless file, which then takes the name,
 * mode and owner of the old one. A full disk or a crash leaves the old content. A link is followed, and the file that
 * it leads to replaced. Of a file with several names (hard links) only this name gets the new content.
 */
export async function replaceFile(root: string, owner: RunnerId, path: string, content: Uint8Array | string) {
	return writeContent(root, owner, path, true, (fd) => writeFileAsync(fd, content));
}

/**
 * Like `replaceFile` for content that arrives as a stream. Missing folders are made.
 * @throws RepldockError `already_exists` unless it may overwrite; `file_too_large` above `maxBytes`.
 */
export async function receiveFile(
	root: string,
	owner: RunnerId,
	path: string,
	content: Readable,
	options: { overwrite: boolean; maxBytes?: number },
): Promise<FileEntry> {
	makeDirectories(root, owner, splitPath(path).parent);
	const maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY;
	return writeContent(root, owner, path, options.overwrite, (fd) => writeStream(fd, content, maxBytes));
}

/** Makes a directory and those above it. @throws RepldockError `already_exists` */
export async function makeDirectory(root: string, owner: RunnerId, path: string): Promise<FileEntry> {
	const { parent, name } = splitPath(path);
	makeDirectories(root, owner, parent);
	return toEntry(name, makeChildDirectory(root, owner, path));
}

/** Renames; a link moves as it is. @throws RepldockError `already_exists` when something has the new name. */
export async function moveEntry(root: string, from: string, to: string): Promise<FileEntry> {
	const [source, target] = [splitPath(from), splitPath(to)];
	return using(openDirectory(root, source.parent), (sourceFd) =>
		using(openDirectory(root, target.parent), (targetFd) => {
			try {
				renameWithoutReplacing(entryPath(sourceFd, source.name), entryPath(targetFd, target.name));
			} catch (error) {
				if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
				throw new RepldockError("invalid_path", "A folder cannot be moved into itself.", { cause: error });
			}
			return toEntry(target.name, lstatSync(entryPath(targetFd, target.name)));
		}),
	);
}

/** Makes a directory and those above it where they are missing. */
export function makeDirectories(root: string, owner: RunnerId, path: string): void {
	const names = path === "" ? [] : path.split("/");
	for (let depth = 1; depth <= names.length; depth += 1) {
		const part = names.slice(0, depth).join("/");
		if (!isDirectory(root, part)) makeChildDirectory(root, owner, part);
	}
}

/** @throws an errno exception with ENOTDIR when it is something else. */
function isDirectory(root: string, path: string): boolean {
	try {
		closeSync(openDirectory(root, path));
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
		throw error;
	}
}

/** @throws an errno exception with EEXIST when something has the name. */
function makeChildDirectory(root: string, owner: RunnerId, path: string): Stats {
	const { parent, name } = splitPath(path);
	const directory = openDirectory(root, parent);
	try {
		mkdirSync(entryPath(directory, name), newDirectoryMode);
		lchownSync(entryPath(directory, name), owner.uid, owner.gid);
		return lstatSync(entryPath(directory, name));
	} finally {
		closeSync(directory);
	}
}

async function writeContent(
	root: string,
	owner: RunnerId,
	path: string,
	overwrite: boolean,
	fill: (fd: number) => Promise<void>,
): Promise<FileEntry> {
	const target = findTarget(root, path);
	return using(target.directory, async (directory) => {
		if (target.existing && !overwrite) throw alreadyExists();
		return using(openNamelessFile(directory), async (fd) => {
			await fill(fd);
			const { existing } = target;
			fchownSync(fd, existing?.uid ?? owner.uid, existing?.gid ?? owner.gid);
			fchmodSync(fd, existing ? existing.mode & 0o777 : newFileMode);
			nameFile(fd, directory, target.name, overwrite);
			return toEntry(splitPath(path).name, fstatSync(fd));
		});
	});
}

/** Follows a link in the last place to the file that is to be replaced. A link that leads nowhere is itself replaced. */
function findTarget(root: string, path: string): Target {
	const found = findExisting(root, path);
	if (!found) {
		const { parent, name } = splitPath(path);
		return { directory: openDirectory(root, parent), name, existing: null };
	}
	const { parent, name } = splitPath(found.path);
	const directory = openDirectory(root, parent);
	try {
		const now = lstatSync(entryPath(directory, name));
		if (now.ino !== found.stats.ino || now.dev !== found.stats.dev) throw movedMeanwhile();
		return { directory, name, existing: found.stats };
	} catch (error) {
		closeSync(directory);
		throw error;
	}
}

/** The file that a path leads to, and its own path without links. */
function findExisting(root: string, path: string): { path: string; stats: Stats } | null {
	let fd: number;
	try {
		fd = openEntry(root, path);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
		throw error;
	}
	try {
		const stats = requireFile(fd);
		const [folder, file] = [`${realpathSync(root)}/`, readlinkSync(descriptorPath(fd))];
		if (!file.startsWith(folder)) throw movedMeanwhile();
		return { path: file.slice(folder.length), stats };
	} finally {
		closeSync(fd);
	}
}

/** The last step: from here on others see it. */
function nameFile(fd: number, directory: number, name: string, overwrite: boolean): void {
	const place = entryPath(directory, name);
	try {
		linkOpenFile(fd, place);
		return;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !overwrite) throw error;
	}
	// A name cannot be taken over by linking: take a passing one, and rename that over it.
	const passing = entryPath(directory, `${ownNamePrefix}${randomBytes(8).toString("hex")}`);
	linkOpenFile(fd, passing);
	try {
		renameSync(passing, place);
	} catch (error) {
		unlinkSync(passing);
		throw error;
	}
}

/** Not by a write stream: it would close the descriptor at an error, and ours is to be closed once. */
async function writeStream(fd: number, content: Readable, maxBytes: number): Promise<void> {
	let total = 0;
	for await (const chunk of content) {
		const part = typeof chunk === "string" ? Buffer.from(chunk) : (chunk as Buffer);
		total += part.length;
		if (total > maxBytes) {
			throw new RepldockError("file_too_large", `Files of more than ${maxBytes} bytes are not taken.`);
		}
		for (let written = 0; written < part.length; ) {
			written += (await writeAsync(fd, part, written, part.length - written)).bytesWritten;
		}
	}
}

function movedMeanwhile(): RepldockError {
	return new RepldockError("file_not_found", "A program moved this file away in this moment. Try again.");
}

function alreadyExists(): RepldockError {
	return new RepldockError("already_exists", "Something with this name is there already. Choose another name.");
}
