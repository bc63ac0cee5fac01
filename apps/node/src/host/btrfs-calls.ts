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

const highest = 0xffff_ffff_ffff_ffffn;
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
const searchRequest = 0xc070_9411;
/** Enough for a hundred subvolumes; each page of new memory costs more than asking again. */
const searchBytes = 64 * 1024;
const searchCountAt = 64;
const searchResultAt = 112;
const searchHeaderBytes = 32;
const lookedUpAt = 16;
const rootTree = 1n;
/** The subvolume that holds all others. */
export const topLevel = 5n;
const firstSubvolume = 256n;
const lastSubvolume = -256n & highest;
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

/** A record of the tree of subvolumes: about one of them (`id`), of a type that says what `offset` and `data` mean. */
export interface RootItem {
	id: bigint;
	type: number;
	offset: bigint;
	data: Buffer;
}

/**
 * All records of these two types, about subvolumes that are not the file system's own, in order.
 * @param path any directory of the file system.
 */
export async function findInRootTree(path: string, firstType: number, lastType: number): Promise<RootItem[] | null> {
	return withDirectory(path, async ({ fd }) => {
		const found: RootItem[] = [];
		const from = { id: firstSubvolume, type: firstType, offset: 0n };
		for (;;) {
			const argument = Buffer.allocUnsafe(searchBytes);
			argument.fill(0, 0, searchResultAt);
			argument.writeBigUInt64LE(rootTree, 0);
			argument.writeBigUInt64LE(from.id, 8);
			argument.writeBigUInt64LE(lastSubvolume, 16);
			argument.writeBigUInt64LE(from.offset, 24);
			for (const highestAt of [32, 48]) argument.writeBigUInt64LE(highest, highestAt);
			argument.writeUInt32LE(from.type, 56);
			argument.writeUInt32LE(lastType, 60);
			argument.writeUInt32LE(0xffff_ffff, searchCountAt);
			argument.writeBigUInt64LE(BigInt(searchBytes - searchResultAt), 104);
			if (!(await isDone(fd, searchRequest, argument))) return null;
			const items = itemsIn(argument);
			const last = items.at(-1);
			if (!last) return found;
			found.push(...items.filter(({ type }) => type === firstType || type === lastType));
			// What the kernel looks for next is what follows the last one, in the order of the tree.
			Object.assign(from, { id: last.id, type: last.type, offset: last.offset + 1n });
		}
	});
}

/** What a search has written behind its own structure. */
function itemsIn(argument: Buffer): RootItem[] {
	const items: RootItem[] = [];
	let at = searchResultAt;
	for (let left = argument.readUInt32LE(searchCountAt); left > 0; left -= 1) {
		const dataAt = at + searchHeaderBytes;
		const end = dataAt + argument.readUInt32LE(at + 28);
		items.push({
			id: argument.readBigUInt64LE(at + 8),
			offset: argument.readBigUInt64LE(at + 16),
			type: argument.readUInt32LE(at + 24),
			data: argument.subarray(dataAt, end),
		});
		at = end;
	}
	return items;
}

/** The path of a directory of the top level by its number, with a slash at its end; null also when there is none. */
export async function whereDirectoryIs(path: string, directory: bigint): Promise<string | null> {
	const argument = Buffer.alloc(nameBytes);
	argument.writeBigUInt64LE(topLevel, 0);
	argument.writeBigUInt64LE(directory, 8);
	if (!(await withDirectory(path, ({ fd }) => isDone(fd, lookUpRequest, argument)))) return null;
	return argument.toString("utf8", lookedUpAt, argument.indexOf(0, lookedUpAt));
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
