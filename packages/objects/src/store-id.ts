import { randomUUID } from "node:crypto";
import type { ObjectStore } from "./store.ts";

const prefix = "store-ids/";
const bytes = Buffer.from("Repldock\n");

/**
 * The store's own name, a UUID: whoever reads the same one reads the same objects, however each of them reaches the store.
 * The first who asks draws it. Of several who drew one at once the smallest counts, which all see when they ask again.
 * @throws ObjectStoreError
 */
export async function readStoreId(store: ObjectStore): Promise<string> {
	const known = await smallest(store);
	if (known !== null) return known;
	const drawn = randomUUID();
	await store.put(prefix + drawn, bytes);
	return (await smallest(store)) ?? drawn;
}

async function smallest(store: ObjectStore): Promise<string | null> {
	for await (const { key } of store.list(prefix)) return key.slice(prefix.length);
	return null;
}
