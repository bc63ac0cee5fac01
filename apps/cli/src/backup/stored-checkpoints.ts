import { isNotFound, type ObjectInfo, type ObjectStore, ObjectStoreError, readIndex } from "@repldock/objects";
import { PackEntry, type StoredCheckpoint } from "@repldock/protocol";
import { z } from "zod";
import { objectPrefixes } from "./manifest.ts";

/** An object that does not tell what is in it. */
export interface Unreadable {
	key: string;
	detail: string;
}

/** A store far away answers slowly, but many at a time. */
const atATime = 16;

/**
 * All checkpoints of a store, by the indices at the end of its objects.
 * @throws ObjectStoreError when the store cannot be asked: what it does not say now is not missing.
 */
export async function* readStoredCheckpoints(
	store: ObjectStore,
	onUnreadable: (unreadable: Unreadable) => void,
): AsyncGenerator<StoredCheckpoint> {
	for (const prefix of objectPrefixes) {
		let batch: ObjectInfo[] = [];
		for await (const object of store.list(prefix)) {
			batch.push(object);
			if (batch.length < atATime) continue;
			yield* readAll(batch);
			batch = [];
		}
		yield* readAll(batch);
	}

	async function* readAll(objects: readonly ObjectInfo[]) {
		for (const checkpoints of await Promise.all(objects.map(readOne))) yield* checkpoints;
	}

	async function readOne({ key, bytes }: ObjectInfo): Promise<StoredCheckpoint[]> {
		try {
			const entries = z.array(PackEntry).safeParse(await readIndex(store, key, bytes));
			if (entries.success) return entries.data.map((entry) => ({ ...entry, key }));
			onUnreadable({ key, detail: "Its index of checkpoints makes no sense." });
		} catch (error) {
			// Garbage that was removed meanwhile is no damage.
			if (isNotFound(error)) return [];
			if (!(error instanceof ObjectStoreError && error.code === "corrupt")) throw error;
			onUnreadable({ key, detail: error.message });
		}
		return [];
	}
}
