import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { ObjectStore } from "@repldock/objects";
import { assertEmptyDatabase, distrustIndex, loadDatabase, withDatabase } from "../backup/database.ts";
import { backupPrefix, listBackups, type Manifest, readManifest, readText } from "../backup/manifest.ts";
import { checkObjectList, readObjectList, restoreObjects } from "../backup/objects.ts";
import { writeSecretFiles } from "../backup/secrets.ts";
import { openStores } from "../backup/stores.ts";
import { restoringMark } from "../backup/unfinished.ts";
import { installPackages, missingPackages } from "../machine/packages.ts";
import { type Settings, UsageError } from "../settings.ts";
import { prepareData } from "../supervisor/instance.ts";
import { green, print, say } from "../text.ts";

/**
 * `restore --from URL [--time TIME]`: makes an instance out of a backup in a data directory that is empty or not there.
 * Nothing is kept of a restore that fails; `up` then starts the restored instance.
 */
export async function restore(settings: Settings): Promise<number> {
	if (!settings.from) throw new UsageError("restore needs --from folder:/path or s3://bucket/prefix.");
	if (process.getuid?.() !== 0)
		throw new Error("A restore makes files of several users, so it must be started by root.");
	const isNew = await assertEmpty(settings.data);
	const { own, backups, areSame } = await openStores(settings, "--from", settings.from);
	const time = await chooseBackup(backups, settings.time);
	const manifest = await readManifest(backups, backupPrefix(time));

	const missing = await missingPackages(["postgresql"]);
	if (missing.length > 0) await installPackages(missing);
	await mkdir(settings.data, { recursive: true });
	const mark = restoringMark(settings.data);
	await writeFile(mark, "");
	try {
		const siteUser = await prepareData(settings);
		await writeSecretFiles(settings, await checkedSecrets(backups, time, manifest), siteUser);
		await checkObjectList(backups, time, manifest.objects);
		const dump = join(settings.data, "restore.dump");
		await fetchDump(backups, time, manifest, dump);
		await withDatabase(settings, async (database) => {
			await assertEmptyDatabase(database);
			await loadDatabase(database, dump);
			await distrustIndex(database);
		});
		await rm(dump);
		say(`${green("✓")} database`);
		const objects = readObjectList(backups, time, manifest.objects);
		await restoreObjects(backups, areSame ? undefined : await own(), objects);
		say(`${green("✓")} ${manifest.objects.count} objects of projects`);
	} catch (error) {
		for (const name of await readdir(settings.data)) {
			await rm(join(settings.data, name), { recursive: true, force: true });
		}
		if (isNew) await rm(settings.data, { recursive: true });
		throw error;
	}
	await rm(mark);
	if (settings.json) print(JSON.stringify({ data: settings.data, time, objects: manifest.objects.count }));
	else
		print(
			`${settings.data} is as it was at ${manifest.createdAt}. Start it with: ./repldock up --data ${settings.data}`,
		);
	return 0;
}

/** @returns whether the directory is not there yet. @throws Error when something is in it. */
async function assertEmpty(directory: string): Promise<boolean> {
	try {
		const names = await readdir(directory);
		if (names.length === 0) return false;
	} catch (error) {
		if (error instanceof Error && "code" in error && error.code === "ENOENT") return true;
		throw error;
	}
	throw new Error(`${directory} is not empty, and a restore overwrites nothing. Name another folder with --data.`);
}

async function chooseBackup(store: ObjectStore, wanted: string | undefined): Promise<string> {
	const { whole, half } = await listBackups(store);
	const chosen = wanted ?? whole.at(-1);
	if (chosen && whole.includes(chosen)) return chosen;
	if (chosen && half.some(({ time }) => time === chosen))
		throw new Error(`The backup ${chosen} was not finished. Choose another one.`);
	const others =
		whole.length > 0 ? `It has: ${whole.join(", ")}.` : `It has none${half.length > 0 ? " that was finished" : ""}.`;
	throw new Error(`${store.description} has no ${chosen ? `backup ${chosen}` : "backup to restore"}. ${others}`);
}

async function checkedSecrets(store: ObjectStore, time: string, manifest: Manifest): Promise<string> {
	const text = await readText(store, `${backupPrefix(time)}secrets.json`);
	if (createHash("sha256").update(text).digest("hex") !== manifest.secrets.sha256) throw differs("secrets");
	return text;
}

async function fetchDump(store: ObjectStore, time: string, manifest: Manifest, file: string): Promise<void> {
	const hash = createHash("sha256");
	const body = await store.get(`${backupPrefix(time)}database.dump`);
	body.on("data", (chunk: Buffer) => hash.update(chunk));
	await pipeline(body, createWriteStream(file, { mode: 0o600 }));
	if (hash.digest("hex") !== manifest.database.sha256) throw differs("database");
}

function differs(part: string): Error {
	return new Error(`The backup's ${part} is not what its manifest names. Choose another backup with --time.`);
}
