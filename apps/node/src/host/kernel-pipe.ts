import { closeSync, constants, readSync } from "node:fs";
import koffi from "koffi";

const library = koffi.load(null);
const pipe2 = library.func("int pipe2(_Out_ int *ends, int flags)");
const fcntl = library.func("int fcntl(int descriptor, int command, ...)");
const ioctl = library.func("int ioctl(int descriptor, unsigned long request, _Out_ int *answer)");

const closeOnExec = 0o2000000;
const setFlags = 4;
const setPipeSize = 1031;
const countUnread = 0x541b;
/** What an unprivileged program may ask for; one that is granted less goes on with what it has. */
const pipeBytes = 1024 * 1024;

export interface KernelPipe {
	readEnd: number;
	writeEnd: number;
	/** Takes out what was written until now, without waiting for more. */
	takeAll(): Buffer;
	/** Closes this process's ends, once the programs at both have theirs. */
	close(): void;
}

/**
 * A pipe between two programs. What Node calls a pipe is a socket: `btrfs send` moves pages into it one by one, and into
 * a pipe as many as there is room for.
 * @param whenFull what a write does when there is no room: it waits for a reader, or fails (EAGAIN).
 * @throws Error when the process has too many files open.
 */
export function openKernelPipe(whenFull: "wait" | "fail" = "wait"): KernelPipe {
	const ends = [0, 0];
	if (pipe2(ends, closeOnExec) !== 0) throw new Error("no pipe could be opened");
	const [readEnd = 0, writeEnd = 0] = ends;
	fcntl(writeEnd, setPipeSize, "int", pipeBytes);
	if (whenFull === "fail") fcntl(writeEnd, setFlags, "int", constants.O_NONBLOCK);
	return {
		readEnd,
		writeEnd,
		takeAll() {
			const unread = [0];
			if (ioctl(readEnd, countUnread, unread) !== 0) throw new Error("a pipe does not tell what is in it");
			const bytes = Buffer.allocUnsafe(unread[0] ?? 0);
			return bytes.subarray(0, readSync(readEnd, bytes));
		},
		close() {
			closeSync(readEnd);
			closeSync(writeEnd);
		},
	};
}
