import type { ObjectStore } from "@repldock/objects";
import type { Logger } from "@repldock/service";

/** Where checkpoints are in the store. Other prefixes, such as those of backups, are not ours to tidy. */
const prefixes = ["packs/", "projects/"];

const keysAtATime = 1000;

export interface GarbageOptions {
	store: ObjectStore;
	/** Younger objects may be named by a manifest that is still on its way. */
	olderThanMs: number;
	/** Which of these objects no manifest names. @throws when that cannot be known now. */
	unnamed(keys: readonly string[]): Promise<string[]>;
	/** Objects of checkpoints that the site has not heard of yet. */
	unreported(): ReadonlySet<string>;
	log: Logger;
}

/**
 * Removes the objects that nothing needs any more: of checkpoints that were thinned out, of projects that are gone for
 * good, and of agents that died before they told of them. It can end at any moment and be repeated.
 * @returns how many were removed.
 */
export async function collectGarbage(options: GarbageOptions): Promise<number> {
	const { store, log } = options;
	const bornBeforeMs = Date.now() - options.olderThanMs;
	let removed = 0;

	async function look(keys: readonly string[]) {
		// Taken down before the site is asked: what it records after its answer is still among these.
		const unreported = options.unreported();
		const unnamed = await options.unnamed(keys);
		const doomed = unnamed.filter((key) => keys.includes(key) && !unreported.has(key));
		await store.remove(doomed);
		removed += doomed.length;
	}

	for (const prefix of prefixes) {
		let keys: string[] = [];
		for await (const { key, modifiedAt } of store.list(prefix)) {
			if (modifiedAt.getTime() >= bornBeforeMs) continue;
			keys.push(key);
			if (keys.length < keysAtATime) continue;
			await look(keys);
			keys = [];
		}
		if (keys.length > 0) await look(keys);
	}
	const halfDone = await store.reclaim(options.olderThanMs);
	if (removed + halfDone > 0) log.info({ removed, halfDone }, "objects that nothing needs were removed");
	return removed;
}
