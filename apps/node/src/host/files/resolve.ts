import { closeSync, fstatSync, openSync, type Stats } from "node:fs";
import { ProjectPath, RepldockError } from "@repldock/protocol";
import { openat2, openFlags, resolveFlags } from "./syscalls.ts";

/**
 * How paths of a project become file descriptors. The files belong to strangers whose programs run meanwhile, and the
 * agent is root: a path is only ever walked by openat2, which refuses in the kernel what leads out of the project.
 * Links inside the project are followed. With a directory's descriptor in hand, its entries are named through
 * `/proc/self/fd`, and only by calls that do not follow a link in the last place.
 */
const insideProject = resolveFlags.beneath | resolveFlags.noMagicLinks | resolveFlags.noCrossDevice;

/** Names that the agent itself uses for a moment; they are not shown. */
export const ownNamePrefix = ".repldock-";

/** @throws RepldockError `invalid_path` */
export function parsePath(path: string): string {
	if (!ProjectPath.safeParse(path).success || !path.isWellFormed()) {
		throw new RepldockError("invalid_path", "Use a path inside the project.");
	}
	return path;
}

/** @throws RepldockError `invalid_path` for the project folder itself. */
export function splitPath(path: string): { parent: string; name: string } {
	parsePath(path);
	if (path === "") throw new RepldockError("invalid_path", "This is the project folder itself; name something in it.");
	const slash = path.lastIndexOf("/");
	return { parent: slash < 0 ? "" : path.slice(0, slash), name: path.slice(slash + 1) };
}

/** Calls back with an open descriptor and closes it when the job is done. */
export async function using<T>(fd: number, job: (fd: number) => T | Promise<T>): Promise<T> {
	try {
		return await job(fd);
	} finally {
		closeSync(fd);
	}
}

/** A descriptor that names what the path leads to, of whatever kind; it cannot be read. */
export function openEntry(root: string, path: string, flags = 0): number {
	return openInProject(root, path, openFlags.O_PATH | flags);
}

/** A descriptor that names a directory. */
export function openDirectory(root: string, path: string): number {
	return openInProject(root, path, openFlags.O_PATH | openFlags.O_DIRECTORY);
}

/** A file without a name in this directory, open for writing. It goes away unless it is linked. */
export function openNamelessFile(directory: number): number {
	return openat2(directory, ".", openFlags.O_TMPFILE | openFlags.O_WRONLY, insideProject, 0o600);
}

/** A directory that is an entry of another one, to read its entries; no link, no mount. */
export function openChildDirectory(directory: number, name: string | Buffer): number {
	const flags = openFlags.O_RDONLY | openFlags.O_DIRECTORY | openFlags.O_NOFOLLOW;
	return openat2(directory, name, flags, insideProject | resolveFlags.noSymlinks);
}

/** An ordinary file that is an entry of a directory, for reading. The caller has looked that it is one. */
export function openChildFile(directory: number, name: Buffer): number {
	const flags = openFlags.O_RDONLY | openFlags.O_NONBLOCK | openFlags.O_NOFOLLOW;
	return openat2(directory, name, flags, insideProject | resolveFlags.noSymlinks);
}

/** A new file in a directory, open for writing. @throws an errno exception with EEXIST when something has the name. */
export function createChildFile(directory: number, name: Buffer): number {
	const flags = openFlags.O_WRONLY | openFlags.O_CREAT | openFlags.O_EXCL | openFlags.O_NOFOLLOW;
	return openat2(directory, name, flags, insideProject | resolveFlags.noSymlinks, 0o600);
}

/** A directory somewhere below another one, reached without any link; it cannot be read. */
export function openDirectoryBelow(directory: number, path: Buffer): number {
	const flags = openFlags.O_PATH | openFlags.O_DIRECTORY;
	return openat2(directory, path.length === 0 ? "." : path, flags, insideProject | resolveFlags.noSymlinks);
}

/** A path for calls that take one: an entry of an open directory. The name must be one plain name. */
export function entryPath(directory: number, name: string): string {
	return `/proc/self/fd/${directory}/${name}`;
}

/** The same for a name as it is on disk, which need not be UTF-8. */
export function entryPathOf(directory: number, name: Buffer): Buffer {
	return Buffer.concat([Buffer.from(entryPath(directory, "")), name]);
}

/** The path of an open descriptor's own file. */
export function descriptorPath(fd: number): string {
	return `/proc/self/fd/${fd}`;
}

/** @throws RepldockError `invalid_path` for anything but an ordinary file. */
export function requireFile(fd: number): Stats {
	const stats = fstatSync(fd);
	if (stats.isFile()) return stats;
	const what = stats.isDirectory() ? "This is a folder, not a file." : "Only ordinary files can be opened here.";
	throw new RepldockError("invalid_path", what);
}

function openInProject(root: string, path: string, flags: number): number {
	parsePath(path);
	const rootFd = openSync(root, openFlags.O_RDONLY | openFlags.O_DIRECTORY);
	try {
		return openat2(rootFd, path || ".", flags, insideProject);
	} finally {
		closeSync(rootFd);
	}
}
