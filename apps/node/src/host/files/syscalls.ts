import { constants } from "node:fs";
import { constants as systemConstants } from "node:os";
import koffi from "koffi";

/** System calls that Node does not offer. Numbers are those of x86-64 and arm64. */
const openat2Number = 437;
const renameat2Number = process.arch === "arm64" ? 276 : 316;
const linkatNumber = process.arch === "arm64" ? 37 : 265;
const lseekNumber = process.arch === "arm64" ? 62 : 8;
const ioctlNumber = process.arch === "arm64" ? 29 : 16;

/** From linux/openat2.h: no other mount, no jumps through /proc links, no symlinks at all, nothing above the start. */
export const resolveFlags = { noCrossDevice: 1n, noMagicLinks: 2n, noSymlinks: 4n, beneath: 8n } as const;

/** Node's open flags and those that it lacks. */
export const openFlags = {
	...constants,
	/** A handle for naming things only: nothing is opened, so a FIFO does not block and a device does nothing. */
	O_PATH: 0o10000000,
	/** A file without a name, in the directory that the path names. */
	O_TMPFILE: 0o20000000 | constants.O_DIRECTORY,
} as const;
const closeOnExec = 0o2000000;
const renameNoReplace = 1;
const renameExchange = 2;
const cloneRequest = 0x4004_9409;
const followSymlink = 0x400;
const currentDirectory = -100;
const seekData = 3;
const seekHole = 4;

const errorNames = new Map(Object.entries(systemConstants.errno).map(([name, number]) => [number, name]));

const library = koffi.load(null);
const syscall = library.func("long syscall(long number, ...)") as unknown as (
	number: number,
	...typesAndValues: unknown[]
) => number;

/**
 * Opens a path relative to a directory under `resolve` rules.
 * @returns a file descriptor that the caller closes.
 * @throws an errno exception like Node's own (`code` is ENOENT, ELOOP, EXDEV …).
 */
export function openat2(directory: number, path: string | Buffer, flags: number, resolve: bigint, mode = 0): number {
	const how = Buffer.alloc(24);
	how.writeBigUInt64LE(BigInt(flags | closeOnExec), 0);
	how.writeBigUInt64LE(BigInt(mode), 8);
	how.writeBigUInt64LE(resolve, 16);
	const pathBytes = Buffer.concat([Buffer.from(path), Buffer.alloc(1)]);
	// EAGAIN tells that something was renamed while the path was walked; a program that does so all the time gets it.
	for (let attempt = 1; ; attempt += 1) {
		const fd = syscall(openat2Number, "int", directory, "void *", pathBytes, "void *", how, "size_t", how.length);
		if (fd >= 0) return fd;
		const error = systemError("openat2", String(path));
		const again = error.code === "EINTR" || error.code === "EAGAIN";
		if (!again || attempt === 100) throw error;
	}
}

/** Renames between absolute paths and refuses (EEXIST) to replace anything. */
export function renameWithoutReplacing(from: string, to: string): void {
	const places = ["int", currentDirectory, "str", from, "int", currentDirectory, "str", to] as const;
	if (syscall(renameat2Number, ...places, "uint", renameNoReplace) !== 0) throw systemError("renameat2", from);
}

/** Exchanges what two absolute paths name, in one step; both must be there. */
export function exchangeNames(one: string, other: string): void {
	const places = ["int", currentDirectory, "str", one, "int", currentDirectory, "str", other] as const;
	if (syscall(renameat2Number, ...places, "uint", renameExchange) !== 0) throw systemError("renameat2", one);
}

/**
 * Lets an empty file share the bytes of another one.
 * @returns false when the file system cannot do that with these two, and nothing has changed.
 */
export function shareBytes(to: number, from: number): boolean {
	if (syscall(ioctlNumber, "int", to, "ulong", cloneRequest, "int", from) === 0) return true;
	const error = systemError("ioctl", "");
	if (["EXDEV", "EINVAL", "EOPNOTSUPP", "ENOTSUP", "ENOTTY"].includes(error.code ?? "")) return false;
	throw error;
}

/** Gives an open file a name at an absolute path; refuses (EEXIST) to replace anything. */
export function linkOpenFile(fd: number, to: string): void {
	const from = `/proc/self/fd/${fd}`;
	const places = ["int", currentDirectory, "str", from, "int", currentDirectory, "str", to] as const;
	if (syscall(linkatNumber, ...places, "int", followSymlink) !== 0) throw systemError("linkat", to);
}

/** The next stretch at or after `from` that is not a hole; null when only holes follow. End is excluded. */
export function nextData(fd: number, from: number): { start: number; end: number } | null {
	const start = syscall(lseekNumber, "int", fd, "int64", from, "int", seekData);
	if (start < 0) {
		const error = systemError("lseek", "");
		if (error.code === "ENXIO") return null;
		throw error;
	}
	const end = syscall(lseekNumber, "int", fd, "int64", start, "int", seekHole);
	if (end < 0) throw systemError("lseek", "");
	return { start, end };
}

function systemError(call: string, path: string): NodeJS.ErrnoException {
	const number = koffi.errno();
	const code = errorNames.get(number) ?? `errno ${number}`;
	return Object.assign(new Error(`${code}: ${call} '${path}'`), { errno: -number, code, syscall: call, path });
}
