import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { promisify } from "node:util";
import koffi from "koffi";

/**
 * What btrfs is asked for most, without a program for each, whose start takes longer than the work. Numbers and shapes are
 * those of linux/btrfs.h. The calls wait for the disk, so they are made in other threads, which do not tell why one failed:
 * each resolves with false then, and nothing has changed. The `btrfs` program, asked for the same, says why. A directory
 * that cannot be opened is thrown as Node does.
 */
const ioctl = koffi.load(null).func("int ioctl(int descriptor, unsigned long request, void *argument)");
/** Keeps the argument until the call has returned, which koffi leaves to its caller. */
const call = promisify(ioctl.async as Call);
type Call = (
	descriptor: number,
	request: number,
	argument: Buffer | null,
	done: (error: Error | null, result: number) => void,
) => void;

const createSubvolumeRequest = 0x5000_940e;
const snapshotRequest = 0x5000_9417;
const destroyRequest = 0x5000_940f;
const limitRequest = 0x8030_942b;
const syncRequest = 0x9408;
const sendRequest = 0x4048_9426;
const lookUpRequest = 0xd000_9412;
/** Of the structures that name a subvolume. */
const nameBytes = 4096;
const nameAt = 8;
const snapshotFlagsAt = 16;
const snapshotNameAt = 56;
const readOnlyFlag = 2n;
const limitBytes = 48;
const limitOfReferenced = 1n;
const sendBytes = 72;
/** The number of the root directory of every subvolume. */
const rootDirectory = 256n;

export async function makeSubvolume(path: string): Promise<boolean> {
	const argument = Buffer.alloc(nameBytes);
	argument.write(basename(path), nameAt);
	return withDirectory(dirname(path), ({ fd }) => isDone(fd, createSubvolumeRequest, argument));
}

export async function takeSnapshot(from: string, to: string, isReadOnly: boolean): Promise<boolean> {
	return withDirectory(from, (source) =>
		withDirectory(dirname(to), ({ fd }) => {
			const argument = Buffer.alloc(nameBytes);
			argument.writeBigInt64LE(BigInt(source.fd), 0);
			argument.writeBigUInt64LE(isReadOnly ? readOnlyFlag : 0n, snapshotFlagsAt);
			argument.write(basename(to), snapshotNameAt);
			return isDone(fd, snapshotRequest, argument);
		}),
	);
}

/** Removes a subvolume that holds no other ones. */
export async function removeSubvolume(path: string): Promise<boolean> {
	const argument = Buffer.alloc(nameBytes);
	argument.write(basename(path), nameAt);
	return withDirectory(dirname(path), ({ fd }) => isDone(fd, destroyRequest, argument));
}

/** @param bytes the most that the subvolume may refer to. */
export async function setLimit(path: string, bytes: number): Promise<boolean> {
	// The number of the counter stays 0: the one of the subvolume that is open.
	const argument = Buffer.alloc(limitBytes);
	argument.writeBigUInt64LE(limitOfReferenced, 8);
	argument.writeBigUInt64LE(BigInt(bytes), 16);
	return withDirectory(path, ({ fd }) => isDone(fd, limitRequest, argument));
}

/** Brings what was written to the disk, and counts with it. @param path any directory of the file system. */
export async function commit(path: string): Promise<boolean> {
	return withDirectory(path, ({ fd }) => isDone(fd, syncRequest, null));
}

/**
 * Writes what makes a read-only snapshot: the same bytes as `btrfs send`. The thread is held until the last one is written, so
 * the pipe had better not wait for a reader.
 * @param parent a snapshot that the bytes build on (`-p`); null for all that there is.
 * @param writeEnd of a pipe.
 * @returns false also when the pipe takes no more; what is in it by then is of no use.
 */
export async function sendSnapshot(snapshot: string, parent: string | null, writeEnd: number): Promise<boolean> {
	const argument = Buffer.alloc(sendBytes + 8);
	argument.writeBigInt64LE(BigInt(writeEnd), 0);
	const send = () => withDirectory(snapshot, ({ fd }) => isDone(fd, sendRequest, argument));
	if (parent === null) return send();
	return withDirectory(parent, async ({ fd }) => {
		const parentId = subvolumeId(fd);
		if (parentId === null) return false;
		// A list of one clone source, the parent, follows the structure, which points to it.
		argument.writeBigUInt64LE(1n, 8);
		argument.writeBigUInt64LE(koffi.address(argument) + BigInt(sendBytes), 16);
		argument.writeBigUInt64LE(parentId, 24);
		argument.writeBigUInt64LE(parentId, sendBytes);
		return send();
	});
}

/** Known without a look at the disk. */
function subvolumeId(descriptor: number): bigint | null {
	const argument = Buffer.alloc(nameBytes);
	argument.writeBigUInt64LE(rootDirectory, 8);
	return ioctl(descriptor, lookUpRequest, argument) === 0 ? argument.readBigUInt64LE(0) : null;
}

async function isDone(descriptor: number, request: number, argument: Buffer | null): Promise<boolean> {
	return (await call(descriptor, request, argument)) === 0;
}

async function withDirectory<T>(path: string, work: (directory: FileHandle) => Promise<T>): Promise<T> {
	const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
	try {
		return await work(directory);
	} finally {
		await directory.close();
	}
}
