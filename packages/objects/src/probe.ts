import { randomUUID } from "node:crypto";
import type { ObjectStore } from "./store.ts";

/** Of objects that hold nothing; one that was left behind may go at any time. */
export const probePrefix = "probes/";

/**
 * Whether the store takes what it is given, and removes it again: one that can be read may refuse both.
 * @throws ObjectStoreError when it does not.
 */
export async function probeWrites(store: ObjectStore): Promise<void> {
	const key = probePrefix + randomUUID();
	await store.put(key, Buffer.from("Does the store take this?\n"));
	await store.remove([key]);
}
