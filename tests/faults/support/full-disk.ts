import { open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "@repldock/service";

const pieceBytes = 64 * 1024;

/**
 * Fills a file system with a file, as something else on it would, until nothing more fits or this much is left.
 * @returns makes room again.
 */
export async function fillDisk(directory: string, leftBytes: number): Promise<() => Promise<void>> {
	const file = join(directory, "filler");
	const { bavail, bsize } = await statfs(directory);
	// Others write meanwhile, so that some of what was free is taken.
	for (let bytes = bavail * bsize - leftBytes; bytes > pieceBytes; bytes = Math.floor(bytes * 0.95) - pieceBytes) {
		const refused = await runCommand("fallocate", ["--length", String(bytes), file]).catch((error: unknown) => error);
		if (!(refused instanceof Error)) break;
	}
	if (leftBytes === 0) await fillRest(file);
	return () => rm(file, { force: true });
}

async function fillRest(file: string): Promise<void> {
	const handle = await open(file, "a");
	try {
		// It was given out in advance, so zeros take as much as anything else.
		for (const piece = Buffer.alloc(pieceBytes); ; ) await handle.appendFile(piece);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
	} finally {
		await handle.close();
	}
}
