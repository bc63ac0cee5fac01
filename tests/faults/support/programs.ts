import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { Random } from "./rounds.ts";

/** A program of the project: writes files, and remembers which of them fsync has acknowledged. */
export interface FileWriter {
	/** Whether it has written a file whose checkpoint is stored in parts. */
	readonly isLarge: boolean;
	write(random: Random, signal: AbortSignal): Promise<void>;
	/** Each acknowledged file is there with its last acknowledged content, or a later one. */
	expectKept(): Promise<void>;
}

/** More than two parts of an upload (`partBytes`); random bytes stay as many when they are compressed. */
const largeBytes = 20_000_000;

const fullDisk = new Set(["ENOSPC", "EDQUOT"]);

/** @param options.isLarge it begins with one large file, and writes that anew now and then. */
export function createFileWriter(volume: string, { isLarge }: { isLarge: boolean }): FileWriter {
	const acknowledged = new Map<string, { content: Buffer; isSure: boolean }>();

	async function write(name: string, content: Buffer) {
		const before = acknowledged.get(name);
		// While it is being written, the old content is no promise any more.
		if (before) before.isSure = false;
		await mkdir(join(volume, "program"), { recursive: true });
		const file = await open(join(volume, name), "w");
		try {
			await file.writeFile(content);
			await file.sync();
		} finally {
			await file.close();
		}
		acknowledged.set(name, { content, isSure: true });
	}

	async function remove(name: string) {
		acknowledged.delete(name);
		await rm(join(volume, name), { force: true });
	}

	async function workOnce(random: Random, isFirst: boolean) {
		if (isLarge && (isFirst || random.chance(0.02))) return write("program/large.bin", randomBytes(largeBytes));
		const name = `program/${random.int(1, 12)}.bin`;
		// Now and then one that gets an object of its own.
		const length = random.chance(0.08) ? random.pick([700_000, 2_000_000]) : random.int(1, 30_000);
		if (random.chance(0.1)) return remove(name);
		await write(name, randomBytes(length));
	}

	return {
		isLarge,
		async write(random, signal) {
			for (let isFirst = true; !signal.aborted; isFirst = false) {
				try {
					await workOnce(random, isFirst);
				} catch (error) {
					// It was told that nothing was written, and tries again later.
					if (!fullDisk.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
				}
				await delay(random.int(5, 80));
			}
		},
		async expectKept() {
			for (const [name, promise] of [...acknowledged]) {
				const found = await readFile(join(volume, name)).catch(() => null);
				// The program goes on: it may have begun to write or remove this one meanwhile.
				if (!promise.isSure || acknowledged.get(name) !== promise) continue;
				expect(found?.equals(promise.content), `${name} was fsynced, but is not there as it was`).toBe(true);
			}
		},
	};
}
