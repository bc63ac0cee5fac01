import { createInterface } from "node:readline";
import { type ObjectStore, probePrefix } from "@repldock/objects";
import type { UnnamedObjectsAnswer } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import { z } from "zod";
import { isWrittenBy } from "./pack.ts";
import { givenUpAfterMs } from "./reports.ts";

/** Where checkpoints are in the store. Other prefixes, such as those of backups, are not ours to tidy. */
const prefixes = ["packs/", "projects/"];

const keysAtATime = 1000;

/** How far the clocks of the store and of the database may be apart. */
const clocksDifferMs = 60 * 60 * 1000;

/** A backup in this store copies no objects; it names those that it needs, one a line. */
const backupList = /^backups\/[^/]+\/objects\.jsonl$/;
const BackedUp = z.object({ key: z.string() });

/**
 * Stands there while the instance is backed up, wherever to. The database was dumped since, and an old object whose row is
 * thinned out after that is needed by the dump alone.
 */
const backupMark = /^backups\/[^/]+\/begun$/;

/** The mark of a backup that was killed holds garbage up no longer than that. */
const marksCountForMs = 7 * 24 * 60 * 60 * 1000;

/**
 * What another node wrote may be among what it has still to tell, which it alone knows. It does so for a time and no
 * longer, so that this is more than enough, clocks that differ included.
 */
const othersOlderThanMs = 2 * givenUpAfterMs;

export interface GarbageOptions {
	store: ObjectStore;
	nodeId: string;
	/** Younger objects, by the store's own clock, may be named by a manifest that is still on its way. */
	olderThanMs: number;
	/** Which of these objects no manifest names, and since when that is known. @throws when it cannot be known now. */
	unnamed(keys: readonly string[]): Promise<UnnamedObjectsAnswer>;
	/** Objects of checkpoints that the site has not heard of yet. */
	unreported(): ReadonlySet<string>;
	log: Logger;
}

/**
 * Removes the objects that nothing needs any more: of checkpoints that were thinned out, of projects that are gone for
 * good, and of agents that died before they told of them. Those of other nodes are left to them until it is certain that
 * they have forgotten them too, so that what a node that is gone for good has left goes as well. What a backup names stays
 * until the backup is deleted, what is older than the site's database until that was made anew, and everything while a
 * backup is made. It can end at any moment and be repeated.
 * @returns how many were removed.
 * @throws when backups or the site cannot be asked; then nothing more is removed.
 */
export async function collectGarbage(options: GarbageOptions): Promise<number> {
	const { store, nodeId, log } = options;
	// A node whose clock is a month ahead must not take all for old.
	const nowMs = (await store.now()).getTime();
	const bornBeforeMs = (key: string) =>
		nowMs - (isWrittenBy(nodeId, key) ? options.olderThanMs : Math.max(options.olderThanMs, othersOlderThanMs));
	const backups = readBackups(store, nowMs);
	let removed = 0;
	let unknown = 0;
	let held = false;

	async function look(objects: ReadonlyMap<string, Date>) {
		// Taken down before the site is asked: what it records after its answer is still among these.
		const unreported = options.unreported();
		const { unnamed, knowsSince } = await options.unnamed([...objects.keys()]);
		const knownFromMs = Date.parse(knowsSince) + clocksDifferMs;
		unknown += unnamed.filter((key) => (objects.get(key)?.getTime() ?? knownFromMs) < knownFromMs).length;
		// After the site was asked: the dump of a backup that is begun later names none of these.
		const { underWay, named } = await backups.look();
		held ||= underWay;
		if (held) return;
		const doomed = unnamed.filter((key) => {
			const modifiedAtMs = objects.get(key)?.getTime() ?? 0;
			return modifiedAtMs >= knownFromMs && !unreported.has(key) && !named.has(key);
		});
		await store.remove(doomed);
		removed += doomed.length;
	}

	/** Left behind by whoever looked whether the store takes writes and was ended meanwhile. */
	async function probesBefore(timeMs: number): Promise<string[]> {
		const keys: string[] = [];
		for await (const { key, modifiedAt } of store.list(probePrefix)) if (modifiedAt.getTime() < timeMs) keys.push(key);
		return keys;
	}

	for (const prefix of prefixes) {
		let objects = new Map<string, Date>();
		for await (const { key, modifiedAt } of store.list(prefix)) {
			if (modifiedAt.getTime() >= bornBeforeMs(key)) continue;
			objects.set(key, modifiedAt);
			if (objects.size < keysAtATime) continue;
			await look(objects);
			objects = new Map();
		}
		if (objects.size > 0) await look(objects);
	}
	if (unknown > 0) {
		log.warn({ unknown }, "the database does not know objects that are older than it is: run ./repldock rebuild-index");
	}
	if (held) {
		log.info({}, "a backup is being made: nothing is removed from the object store meanwhile");
		return removed;
	}
	await store.remove(await probesBefore(nowMs - options.olderThanMs));
	const halfDone = await store.reclaim(options.olderThanMs);
	if (removed + halfDone > 0) log.info({ removed, halfDone }, "objects that nothing needs were removed");
	return removed;
}

/** What backups need, looked at again and again; the list of each is read once. */
function readBackups(store: ObjectStore, nowMs: number) {
	const named = new Set<string>();
	const read = new Set<string>();

	async function readList(key: string) {
		for await (const line of createInterface({ input: await store.get(key) })) {
			named.add(BackedUp.parse(JSON.parse(line)).key);
		}
		read.add(key);
	}

	return {
		/** @returns whether one is being made, and the keys that those which are whole name. */
		async look(): Promise<{ underWay: boolean; named: ReadonlySet<string> }> {
			// A mark goes after its list has come, and is told first: one of the two is seen.
			for await (const { key, modifiedAt } of store.list("backups/")) {
				if (backupMark.test(key) && modifiedAt.getTime() > nowMs - marksCountForMs) return { underWay: true, named };
				if (backupList.test(key) && !read.has(key)) await readList(key);
			}
			return { underWay: false, named };
		},
	};
}
