import { createHash } from "node:crypto";
import { copyObject, isNotFound, type ObjectStore } from "@repldock/objects";
import { BackedUpObject, backupPrefix, type Manifest, objectListName, objectPrefixes } from "./manifest.ts";

/** An object that a backup needs, and whether the other store has it already. */
export interface PlannedObject extends BackedUpObject {
	isThere: boolean;
}

/**
 * All objects of the projects. Objects never change under their key, so of those that the other store has already none is
 * copied again.
 * @param to undefined when the backup lies in the same store.
 */
export async function planObjects(
	from: ObjectStore,
	to: ObjectStore | undefined,
	known: ReadonlyMap<string, BackedUpObject>,
): Promise<PlannedObject[]> {
	const planned: PlannedObject[] = [];
	for (const prefix of objectPrefixes) {
		const present = to ? await sizesOf(to, prefix) : new Map<string, number>();
		for await (const { key, bytes } of from.list(prefix)) {
			const earlier = known.get(key);
			const sha256 = earlier?.bytes === bytes ? earlier.sha256 : null;
			planned.push({ key, bytes, sha256, isThere: !to || (sha256 !== null && present.get(key) === bytes) });
		}
	}
	return planned;
}

/** Copies what is not there yet, and names each object of the backup. */
export async function* backUpObjects(
	from: ObjectStore,
	to: ObjectStore,
	planned: readonly PlannedObject[],
): AsyncGenerator<BackedUpObject> {
	for (const { isThere, ...entry } of planned) {
		if (isThere) {
			yield entry;
			continue;
		}
		try {
			yield { key: entry.key, ...(await copyObject(from, to, { from: entry.key, to: entry.key })) };
		} catch (error) {
			// Gone since it was listed; whether the dump needs it is seen at the end.
			if (!isNotFound(error)) throw error;
		}
	}
}

/**
 * Looks whether a backup is whole: every object that it names, and every one that its dump needs, lies in its store.
 * @throws Error that names the first one missing.
 */
export async function checkWhole(
	store: ObjectStore,
	listed: ReadonlyMap<string, number>,
	needed: ReadonlySet<string>,
): Promise<void> {
	const present = new Map<string, number>();
	for (const prefix of objectPrefixes) for (const [key, bytes] of await sizesOf(store, prefix)) present.set(key, bytes);
	const missing = [
		...[...listed].filter(([key, bytes]) => present.get(key) !== bytes).map(([key]) => key),
		...[...needed].filter((key) => !listed.has(key)),
	];
	if (missing.length === 0) return;
	throw new Error(
		`This is no whole backup: ${missing.length} objects that the database needs are not in it, the first is ` +
			`${missing[0]}. Run it again; if it stays, the object store has lost them: see ./repldock doctor.`,
	);
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
	const key = backupPrefix(time) + objectListName;
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

/** Reads the list to its end, so that a wrong one is found before anything is restored. @throws Error */
export async function checkObjectList(store: ObjectStore, time: string, expected: Manifest["objects"]): Promise<void> {
	let count = 0;
	for await (const entry of readObjectList(store, time, expected)) count += entry.key === "" ? 0 : 1;
	if (count !== expected.count)
		throw new Error(`The backup ${time} names ${count} objects instead of ${expected.count}.`);
}

async function sizesOf(store: ObjectStore, prefix: string): Promise<Map<string, number>> {
	const sizes = new Map<string, number>();
	for await (const { key, bytes } of store.list(prefix)) sizes.set(key, bytes);
	return sizes;
}
