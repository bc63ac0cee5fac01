import { createHash } from "node:crypto";
import { copyObject, isNotFound, type ObjectStore } from "@repldock/objects";
import { BackedUpObject, backupPrefix, type Manifest, objectPrefixes } from "./manifest.ts";

/**
 * Names every object of the projects for a backup. Objects never change under their key, so of those that the other
 * store has already none is copied again.
 * @param to undefined when the backup lies in the same store.
 */
export async function* backUpObjects(
	from: ObjectStore,
	to: ObjectStore | undefined,
	known: ReadonlyMap<string, BackedUpObject>,
): AsyncGenerator<BackedUpObject> {
	for (const prefix of objectPrefixes) {
		const present = to ? await sizesOf(to, prefix) : new Map<string, number>();
		for await (const { key, bytes } of from.list(prefix)) {
			const earlier = known.get(key);
			const sha256 = earlier?.bytes === bytes ? earlier.sha256 : null;
			if (!to || (sha256 && present.get(key) === bytes)) {
				yield { key, bytes, sha256 };
				continue;
			}
			try {
				yield { key, ...(await copyObject(from, to, { from: key, to: key })) };
			} catch (error) {
				// Garbage that was collected meanwhile; the database, dumped before, names nothing of that.
				if (!isNotFound(error)) throw error;
			}
		}
	}
}

/** Brings back, or checks, every object that a backup names. @throws Error that names the first one missing. */
export async function restoreObjects(
	from: ObjectStore,
	to: ObjectStore | undefined,
	entries: AsyncIterable<BackedUpObject>,
): Promise<void> {
	for await (const entry of entries) {
		const bytes = to ? await bringBack(from, to, entry) : (await from.head(entry.key))?.bytes;
		if (bytes === entry.bytes) continue;
		const what = bytes === undefined ? "lacks" : "has in another size";
		throw new Error(`The backup needs the object ${entry.key}, which ${from.description} ${what}.`);
	}
}

/** @returns its size, or undefined when there is no such object. */
async function bringBack(from: ObjectStore, to: ObjectStore, entry: BackedUpObject): Promise<number | undefined> {
	const { key, bytes, sha256 } = entry;
	try {
		return (await copyObject(from, to, { from: key, to: key }, sha256 ? { bytes, sha256 } : undefined)).bytes;
	} catch (error) {
		if (isNotFound(error)) return undefined;
		throw error;
	}
}

/** The list of a backup, line by line. @throws Error when it is not the one that the manifest was written for. */
export async function* readObjectList(
	store: ObjectStore,
	time: string,
	expected: Manifest["objects"],
): AsyncGenerator<BackedUpObject> {
	const key = `${backupPrefix(time)}objects.jsonl`;
	const hash = createHash("sha256");
	let rest = "";
	for await (const chunk of await store.get(key)) {
		hash.update(chunk);
		// Keys are ASCII, so no character is cut.
		const lines = (rest + chunk.toString("latin1")).split("\n");
		rest = lines.pop() ?? "";
		for (const line of lines) yield BackedUpObject.parse(JSON.parse(line));
	}
	if (rest !== "" || hash.digest("hex") !== expected.sha256) {
		throw new Error(`${key} is not the list that the backup was made with. Choose another backup with --time.`);
	}
}

async function sizesOf(store: ObjectStore, prefix: string): Promise<Map<string, number>> {
	const sizes = new Map<string, number>();
	for await (const { key, bytes } of store.list(prefix)) sizes.set(key, bytes);
	return sizes;
}
