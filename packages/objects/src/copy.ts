import { corrupt } from "./errors.ts";
import type { ObjectStore, PutResult } from "./store.ts";

/**
 * Copies an object from one store to another.
 * @param expected its size and sum where they are known; without, the source's own check has to do.
 * @throws ObjectStoreError `corrupt` when the source's bytes are others; the copy is removed again.
 */
export async function copyObject(
	from: ObjectStore,
	to: ObjectStore,
	keys: { from: string; to: string },
	expected?: PutResult,
): Promise<PutResult> {
	const copied = await to.put(keys.to, await from.get(keys.from));
	if (expected && (copied.bytes !== expected.bytes || copied.sha256 !== expected.sha256)) {
		await to.remove([keys.to]);
		throw corrupt(keys.from, "it is not the object that was stored under this name");
	}
	return copied;
}
