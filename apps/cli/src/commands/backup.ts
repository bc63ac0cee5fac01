import { existsSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { ObjectStore } from "@repldock/objects";
import { dumpDatabase, withDatabase } from "../backup/database.ts";
import {
	type BackedUpObject,
	backupPrefix,
	copyListName,
	listBackups,
	type Manifest,
	objectListName,
	readManifest,
	timeName,
	whileMarked,
	writeManifest,
} from "../backup/manifest.ts";
import { neededObjects } from "../backup/needed-objects.ts";
import { backUpObjects, checkWhole, planObjects, readObjectList } from "../backup/objects.ts";
import { removeOldBackups } from "../backup/retention.ts";
import { readSecretFiles } from "../backup/secrets.ts";
import { openStores } from "../backup/stores.ts";
import type { Settings } from "../settings.ts";
import { green, print, say } from "../text.ts";
import { unlessInterrupted } from "./interrupted.ts";

const dayMs = 86_400_000;

/**
 * `backup [--to URL] [--keep N]`: saves the database, the secrets and a list of the projects' objects to an object store,
 * and the objects themselves where that is another one. The instance may run meanwhile. Its manifest is written last.
 */
export async function backup(settings: Settings): Promise<number> {
	if (!existsSync(join(settings.data, "secrets/site"))) {
		throw new Error(`There is no instance in ${settings.data}. Name its folder with --data.`);
	}
	const { own: openOwn, backups, areSame } = await openStores(settings, "--to", settings.to);
	const own = areSame ? backups : await openOwn();
	const createdAt = new Date();
	const time = timeName(createdAt);
	// What killed backups left: nobody else looks after a store that holds backups alone.
	await backups.reclaim(dayMs);
	const stores = areSame ? [own] : [own, backups];
	const objects = await whileMarked(stores, backupPrefix(time), () =>
		unlessInterrupted("The backup", () => makeBackup({ settings, own, backups, areSame, createdAt })),
	);
	const { count, totalBytes } = objects;
	if (settings.json) print(JSON.stringify({ store: backups.description, time, objects: count, bytes: totalBytes }));
	else print(`Backup ${time} is complete in ${backups.description}.`);

	// Marks of killed backups to elsewhere; they hold up the removal of garbage no longer, so nobody would miss them.
	if (!areSame) await removeOldBackups(own, { isOwn: true });
	const removed = await removeOldBackups(backups, { keep: settings.keep, isOwn: areSame });
	if (removed > 0) say(`${green("✓")} ${removed} older backups removed`);
	return 0;
}

async function makeBackup(options: {
	settings: Settings;
	own: ObjectStore;
	backups: ObjectStore;
	areSame: boolean;
	createdAt: Date;
}): Promise<Manifest["objects"]> {
	const { settings, own, backups, areSame, createdAt } = options;
	const prefix = backupPrefix(timeName(createdAt));
	const known = await lastObjects(backups);

	// The database first: what it names was in the store before, and stays there while this backup is marked.
	const dumpKey = `${prefix}database.dump`;
	const database = await withDatabase(settings, (address) =>
		dumpDatabase(address, (dump) => backups.put(dumpKey, dump)),
	);
	say(`${green("✓")} database`);
	const secrets = await backups.put(`${prefix}secrets.json`, await readSecretFiles(settings));

	const planned = await planObjects(own, areSame ? undefined : backups, known);
	const toCopy = planned.filter(({ isThere }) => !isThere).map(({ isThere: _, ...entry }) => entry);
	if (!areSame) await backups.put(prefix + copyListName, Readable.from(toCopy.map(line)));
	const listed = new Map<string, number>();
	let totalBytes = 0;
	async function* lines() {
		for await (const entry of backUpObjects(own, backups, planned)) {
			listed.set(entry.key, entry.bytes);
			totalBytes += entry.bytes;
			yield line(entry);
		}
	}
	const list = await backups.put(prefix + objectListName, Readable.from(lines()));
	await checkWhole(backups, listed, await neededObjects(await backups.get(dumpKey)));
	say(`${green("✓")} ${listed.size} objects of projects`);

	const objects = { ...list, count: listed.size, totalBytes };
	await writeManifest(backups, prefix, {
		format: "repldock-backup-1",
		createdAt: createdAt.toISOString(),
		database,
		secrets,
		objects,
	});
	return objects;
}

const line = (entry: BackedUpObject) => Buffer.from(`${JSON.stringify(entry)}\n`);

/** What the newest backup there knows of the objects, so that their sums need not be made again. */
async function lastObjects(store: ObjectStore): Promise<Map<string, BackedUpObject>> {
	const known = new Map<string, BackedUpObject>();
	const last = (await listBackups(store)).whole.at(-1);
	if (!last) return known;
	const manifest = await readManifest(store, backupPrefix(last));
	for await (const entry of readObjectList(store, last, manifest.objects)) known.set(entry.key, entry);
	return known;
}
