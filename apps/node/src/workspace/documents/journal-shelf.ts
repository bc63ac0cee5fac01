import { rm, stat } from "node:fs/promises";
import type { Logger } from "@repldock/service";
import { listJournals } from "./journal.ts";
import { journalsKept, journalsKeptBytes } from "./limits.ts";

/**
 * Journals of closed documents, kept for clients who were offline. They lie on the agent's own disk, outside of the
 * project's quota, so the oldest make room for new ones.
 */
export interface JournalShelf {
	/** A document was closed and left this journal. */
	added(file: string): Promise<void>;
	/** Removes the oldest until the rest is within bounds. */
	trim(): Promise<void>;
}

/** What is left after a trim, so that not each document that is closed makes another one. */
const share = 0.75;

/** @param isInUse whether the journal is an open document's, or holds edits that are in no file yet. */
export function createJournalShelf(options: {
	directory: string;
	isInUse(file: string): boolean;
	log: Logger;
}): JournalShelf {
	const { directory, isInUse, log } = options;
	let count = 0;
	let bytes = 0;
	let trimming: Promise<void> | undefined;

	async function trimNow(): Promise<void> {
		const journals: { file: string; size: number; modifiedAtMs: number }[] = [];
		for (const file of await listJournals(directory)) {
			const found = isInUse(file) ? null : await stat(file).catch(ignoreGone);
			if (found) journals.push({ file, size: found.size, modifiedAtMs: found.mtimeMs });
		}
		journals.sort((left, right) => right.modifiedAtMs - left.modifiedAtMs);
		count = 0;
		bytes = 0;
		for (const { file, size } of journals) {
			const fits = count < journalsKept * share && bytes + size <= journalsKeptBytes * share;
			if (!fits && !isInUse(file)) {
				await rm(file, { force: true });
				continue;
			}
			count += 1;
			bytes += size;
		}
	}

	function trim(): Promise<void> {
		trimming ??= trimNow()
			.catch((error: unknown) => log.error({ err: error }, "journals of closed documents could not be cleared away"))
			.finally(() => {
				trimming = undefined;
			});
		return trimming;
	}

	return {
		trim,
		async added(file) {
			const found = await stat(file).catch(ignoreGone);
			if (!found) return;
			count += 1;
			bytes += found.size;
			if (count > journalsKept || bytes > journalsKeptBytes) await trim();
		},
	};
}

function ignoreGone(error: NodeJS.ErrnoException): null {
	if (error.code === "ENOENT") return null;
	throw error;
}
