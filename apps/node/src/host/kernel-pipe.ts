import { closeSync } from "node:fs";
import koffi from "koffi";

const library = koffi.load(null);
const pipe2 = library.func("int pipe2(_Out_ int *ends, int flags)");
const fcntl = library.func("int fcntl(int descriptor, int command, ...)");

const closeOnExec = 0o2000000;
const setPipeSize = 1031;
/** What an unprivileged program may ask for; one that is granted less goes on with what it has. */
const pipeBytes = 1024 * 1024;

export interface KernelPipe {
	readEnd: number;
	writeEnd: number;
	/** Closes this process's ends, once the programs at both have theirs. */
	close(): void;
}

/**
 * A pipe between two programs. What Node calls a pipe is a socket: `btrfs send` moves pages into it one by one, and into
 * a pipe as many as there is room for.
 * @throws Error when the process has too many files open.
 */
export function openKernelPipe(): KernelPipe {
	const ends = [0, 0];
	if (pipe2(ends, closeOnExec) !== 0) throw new Error("no pipe could be opened");
	const [readEnd = 0, writeEnd = 0] = ends;
	fcntl(writeEnd, setPipeSize, "int", pipeBytes);
	return {
		readEnd,
		writeEnd,
		close() {
			closeSync(readEnd);
			closeSync(writeEnd);
		},
	};
}
