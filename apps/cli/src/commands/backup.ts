import { existsSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { dumpDatabase, withDatabase } from "../backup/database.ts";
import {
	type BackedUpObject,
	backupPrefix,
	listBackups,
	readManifest,
	timeName,
	writeManifest,
} from "../backup/manifest.ts";
import { backUpObjects, readObjectList } from "../backup/objects.ts";
import { readSecretFiles } from "../backup/secrets.ts";
import { openStores } from "../backup/stores.ts";
import type { Settings } from "../settings.ts";
import { green, print, say } from "../text.ts";

/**
 * `backup [--to URL]`: saves the database, the secrets and a list of the projects' objects to an object store, and the
 * objects themselves where that is another one. The instance may run meanwhile. Its manifest is written last.
 */
export async function backup(settings: Settings): Promise<number> {
	if (!existsSync(join(settings.data, "secrets/site"))) {
		throw new Error(`There is no instance in ${settings.data}. Name its folder with --data.`);
	}
	const { own, backups, areSame } = await openStores(settings, "--to", settings.to);
	const createdAt = new Date();
	const time = timeName(createdAt);
	const prefix = backupPrefix(time);
	const known = await lastObjects(backups);

	// The database first: what it names was in the store before, and objects stay there longer than a backup takes.
	const database = await withDatabase(settings, (address) =>
		dumpDatabase(address, (dump) => backups.put(`${prefix}database.dump`, dump)),
	);
	say(`${green("✓")} database`);
	const secrets = await backups.put(`${prefix}secrets.json`, await readSecretFiles(settings));

	let count = 0;
	let totalBytes = 0;
	async function* lines() {
		for await (const entry of backUpObjects(await own(), areSame ? undefined : backups, known)) {
			count += 1;
			totalBytes += entry.bytes;
			yield Buffer.from(`${JSON.stringify(entry)}\n`);
		}
	}
	const list = await backups.put(`${prefix}objects.jsonl`, Readable.from(lines()));
	say(`${green("✓")} ${count} objects of projects`);

	await writeManifest(backups, prefix, {
		format: "repldock-backup-1",
		createdAt: createdAt.toISOString(),
		database,
		secrets,
		objects: { ...list, count, totalBytes },
	});
	if (settings.json) print(JSON.stringify({ store: backups.description, time, objects: count, bytes: totalBytes }));
	else print(`Backup ${time} is complete in ${backups.description}.`);
	return 0;
}

/** What the newest backup there knows of the objects, so that their sums need not be made again. */
async function lastObjects(store: Parameters<typeof listBackups>[0]): Promise<Map<string, BackedUpObject>> {
	const known = new Map<string, BackedUpObject>();
	const last = (await listBackups(store)).whole.at(-1);
	if (!last) return known;
	const manifest = await readManifest(store, backupPrefix(last));
	for await (const entry of readObjectList(store, last, manifest.objects)) known.set(entry.key, entry);
	return known;
}
