import { createInterface } from "node:readline";
import type { ObjectStore } from "@repldock/objects";
import { BackedUpObject, backupPrefix, copyListName, listBackups, objectListName, objectPrefixes } from "./manifest.ts";

/** A backup that failed or was killed is of use to whoever looks into why, for this long. */
const halfStaysMs = 7 * 24 * 60 * 60 * 1000;

const keysAtATime = 1000;

/** What is removed of a backup first to last: from the first on it is none, and its lists stay until all else is gone. */
const manifestFirst = (key: string) => (key.endsWith("/manifest.json") ? 0 : isList(key) ? 2 : 1);
const isList = (key: string) => key.endsWith(`/${objectListName}`) || key.endsWith(`/${copyListName}`);

/**
 * Removes half backups older than a week, and whole ones older than the newest `keep`, with the objects that they alone
 * name. It can end at any moment: what it leaves is a half backup, which a later call removes.
 * @param options.keep undefined: every whole one.
 * @param options.isOwn the store is the instance's own, whose objects its nodes look after.
 * @returns how many backups were removed.
 * @throws Error with a sentence when objects must stay; then the lists that name them stay as well.
 */
export async function removeOldBackups(
	store: ObjectStore,
	options: { keep?: number | undefined; isOwn: boolean },
): Promise<number> {
	const { whole, half } = await listBackups(store);
	const oldBeforeMs = (await store.now()).getTime() - halfStaysMs;
	const isOld = ({ changedAt }: { changedAt: Date }) => changedAt.getTime() < oldBeforeMs;
	const tooMany = options.keep === undefined ? [] : whole.slice(0, -options.keep);
	const doomed = [...tooMany, ...half.filter(isOld).map(({ time }) => time)];
	if (doomed.length === 0) return 0;

	const keys = (await Promise.all(doomed.map((time) => keysBelow(store, backupPrefix(time))))).flat();
	const inOrder = keys.toSorted((one, other) => manifestFirst(one) - manifestFirst(other));
	await removeAll(
		store,
		inOrder.filter((key) => !isList(key)),
	);
	if (!options.isOwn) await removeObjects(store, doomed);
	await removeAll(store, inOrder.filter(isList));
	return doomed.length;
}

/** Removes what these backups name and no other does. */
async function removeObjects(store: ObjectStore, doomed: readonly string[]): Promise<void> {
	// Looked at after the manifests went: a backup that begins now builds on none of these any more.
	const { whole, half } = await listBackups(store);
	const others = [...whole, ...half.map(({ time }) => time)].filter((time) => !doomed.includes(time));
	const needed = await namedBy(store, others);
	const useless = await namedBy(store, doomed);
	for (const key of needed) useless.delete(key);
	if (useless.size === 0) return;
	const begun = half.find(({ time, isMarked }) => isMarked && !doomed.includes(time));
	if (begun) {
		throw new Error(
			`Another backup, ${begun.time}, is being made in ${store.description}, or was killed there in the last week. ` +
				"Until it is whole or gone, no object is removed.",
		);
	}
	for (const prefix of objectPrefixes) {
		for await (const { key } of store.list(prefix)) {
			if (needed.has(key) || useless.has(key)) continue;
			throw new Error(
				`${store.description} holds ${key}, which no backup names: it is the object store of an instance too, or was of ` +
					"one. No object is removed there.",
			);
		}
	}
	await removeAll(store, [...useless]);
}

async function namedBy(store: ObjectStore, times: readonly string[]): Promise<Set<string>> {
	const named = new Set<string>();
	for (const time of times) {
		for (const list of (await keysBelow(store, backupPrefix(time))).filter(isList)) {
			for await (const line of createInterface({ input: await store.get(list) })) {
				named.add(BackedUpObject.pick({ key: true }).parse(JSON.parse(line)).key);
			}
		}
	}
	return named;
}

async function keysBelow(store: ObjectStore, prefix: string): Promise<string[]> {
	const keys: string[] = [];
	for await (const { key } of store.list(prefix)) keys.push(key);
	return keys;
}

async function removeAll(store: ObjectStore, keys: readonly string[]): Promise<void> {
	for (let at = 0; at < keys.length; at += keysAtATime) await store.remove(keys.slice(at, at + keysAtATime));
}
