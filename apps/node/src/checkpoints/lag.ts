/** By project, since when its volume holds what is not in the object store, in milliseconds by the clock that people read. */
export type Behind = Map<string, number>;

/** How far this node's volumes are ahead of the object store. */
export interface Lag {
	/** How many volumes hold what is not durable. */
	volumes: number;
	/** How long the oldest change of them has waited, in milliseconds; 0 when all is durable. */
	waitedMs: number;
	/** The last attempt to store something, when the store refused it; null when it took it. */
	storeFailure: StoreFailure | null;
}

export interface StoreFailure {
	/** When, as ISO 8601. */
	at: string;
	/** In a sentence. */
	problem: string;
}

/**
 * Takes down the volumes that were found changed, which are all that are behind, each since a time before which nothing of
 * it can have changed: that of the look before, where a change is new.
 */
export function createLook(behind: Behind) {
	let lookedAtMs: number | undefined;

	return (changed: ReadonlySet<string>): void => {
		const nowMs = Date.now();
		const newSinceMs = lookedAtMs ?? nowMs;
		for (const projectId of behind.keys()) if (!changed.has(projectId)) behind.delete(projectId);
		for (const projectId of changed) {
			// No later than now, whichever way the clock was set.
			behind.set(projectId, Math.min(behind.get(projectId) ?? newSinceMs, nowMs));
		}
		lookedAtMs = nowMs;
	};
}

export function lagOf(behind: Behind, storeFailure: StoreFailure | null): Lag {
	const nowMs = Date.now();
	const waitedMs = Math.max(0, ...[...behind.values()].map((sinceMs) => nowMs - sinceMs));
	return { volumes: behind.size, waitedMs, storeFailure };
}
