import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { Random } from "./rounds.ts";

/** A program of the project: writes files, and remembers which of them fsync has acknowledged. */
export interface FileWriter {
	write(random: Random, signal: AbortSignal): Promise<void>;
	/** Each acknowledged file is there with its last acknowledged content, or a later one. */
	expectKept(): Promise<void>;
}

export function createFileWriter(volume: string): FileWriter {
	const acknowledged = new Map<string, { content: Buffer; isSure: boolean }>();

	async function writeOne(random: Random) {
		const name = `program/${random.int(1, 12)}.bin`;
		// Now and then one that gets an object of its own, and one that goes in parts.
		const length = random.chance(0.08) ? random.pick([700_000, 2_000_000]) : random.int(1, 30_000);
		const content = randomBytes(length);
		const before = acknowledged.get(name);
		// While it is being written, the old content is no promise any more.
		if (before) before.isSure = false;
		if (random.chance(0.1)) {
			await rm(join(volume, name), { force: true });
			acknowledged.delete(name);
			return;
		}
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

	return {
		async write(random, signal) {
			while (!signal.aborted) {
				await writeOne(random);
				await delay(random.int(5, 80));
			}
		},
		async expectKept() {
			for (const [name, { content, isSure }] of acknowledged) {
				if (!isSure) continue;
				const found = await readFile(join(volume, name)).catch(() => null);
				expect(found?.equals(content), `${name} was fsynced, but is not there as it was`).toBe(true);
			}
		},
	};
}
