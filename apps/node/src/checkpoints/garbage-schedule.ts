import { readFile, rename, writeFile } from "node:fs/promises";
import { z } from "zod";

/** The last time that objects which nothing needs were looked for, and how many were removed. */
const LastCollection = z.object({ at: z.iso.datetime(), removed: z.int() });
export type LastCollection = z.infer<typeof LastCollection>;

/** @returns null when there was none yet, as far as the file tells. */
export async function readLastCollection(file: string): Promise<LastCollection | null> {
	const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
		if (error.code === "ENOENT") return "";
		throw error;
	});
	try {
		return LastCollection.parse(JSON.parse(text));
	} catch {
		// A loss of power may have taken what was written. To collect once more does no harm.
		return null;
	}
}

export interface GarbageSchedule {
	/** Collects if it is due. Calls at once share one collection. @throws what the collection throws: it stays due. */
	look(): Promise<void>;
}

/**
 * Collects in time, however often and for how short a time agents run: when it was last done is in the file.
 * @param collect returns how many objects were removed; null when it cannot be done yet.
 */
export function createGarbageSchedule(options: {
	file: string;
	everyMs: number;
	collect(): Promise<number | null>;
}): GarbageSchedule {
	const { file, everyMs, collect } = options;
	let looking: Promise<void> | undefined;

	async function isDue(): Promise<boolean> {
		const last = await readLastCollection(file);
		if (last === null) return true;
		const ageMs = Date.now() - Date.parse(last.at);
		// Of a time to come: the clock was set back, and nobody knows how long ago it was.
		return ageMs < 0 || ageMs >= everyMs;
	}

	async function look() {
		if (!(await isDue())) return;
		const removed = await collect();
		if (removed === null) return;
		const draft = `${file}.new`;
		await writeFile(draft, JSON.stringify({ at: new Date().toISOString(), removed } satisfies LastCollection));
		await rename(draft, file);
	}

	return {
		look() {
			looking ??= look().finally(() => {
				looking = undefined;
			});
			return looking;
		},
	};
}
