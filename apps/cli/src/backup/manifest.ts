import { isNotFound, type ObjectStore } from "@repldock/objects";
import { z } from "zod";

const Sum = z.string().regex(/^[0-9a-f]{64}$/);
const Part = z.object({ bytes: z.int().nonnegative(), sha256: Sum });

/**
 * What a backup is made of, at `backups/<time>/manifest.json`. It is written last: a backup without one is half, and
 * none.
 */
export const Manifest = z.object({
	format: z.literal("repldock-backup-1"),
	createdAt: z.iso.datetime(),
	/** `pg_dump` in custom format, at `database.dump`. */
	database: Part,
	/** `Secrets` as JSON, at `secrets.json`. */
	secrets: Part,
	/** One `BackedUpObject` a line, at `objects.jsonl`. */
	objects: Part.extend({ count: z.int().nonnegative(), totalBytes: z.int().nonnegative() }),
});
export type Manifest = z.infer<typeof Manifest>;

/** An object of the projects that the backup needs; it lies beside the backups, under its own key. */
export const BackedUpObject = z.object({
	key: z.string(),
	bytes: z.int().nonnegative(),
	/** Null where the backup lies in the store of the objects themselves, which nobody read for it. */
	sha256: Sum.nullable(),
});
export type BackedUpObject = z.infer<typeof BackedUpObject>;

/** Below these are the files of projects; all else in the store is not a backup's business. */
export const objectPrefixes = ["packs/", "projects/"] as const;

const root = "backups/";
const manifestName = "manifest.json";

export function backupPrefix(time: string): string {
	return `${root}${time}/`;
}

/** A time as part of a key: `2026-11-24T22-49-00.123Z`, which sorts as the times do. */
export function timeName(date: Date): string {
	return date.toISOString().replaceAll(":", "-");
}

/** Times of the whole backups in a store, oldest first, and of those that were begun and not finished. */
export async function listBackups(store: ObjectStore): Promise<{ whole: string[]; half: string[] }> {
	const times = new Map<string, boolean>();
	for await (const { key } of store.list(root)) {
		const [time = "", name] = key.slice(root.length).split("/");
		times.set(time, (times.get(time) ?? false) || name === manifestName);
	}
	const named = (isWhole: boolean) => [...times].filter(([, whole]) => whole === isWhole).map(([time]) => time);
	return { whole: named(true), half: named(false) };
}

export async function writeManifest(store: ObjectStore, prefix: string, manifest: Manifest): Promise<void> {
	await store.put(prefix + manifestName, Buffer.from(`${JSON.stringify(manifest, null, "\t")}\n`));
}

/** @throws Error with a sentence when there is none, ObjectStoreError when it cannot be had. */
export async function readManifest(store: ObjectStore, prefix: string): Promise<Manifest> {
	try {
		return Manifest.parse(JSON.parse(await readText(store, prefix + manifestName)));
	} catch (error) {
		if (!isNotFound(error)) throw error;
		throw new Error(`${store.description} ${prefix} is only half a backup: it was not finished. Choose another one.`);
	}
}

export async function readText(store: ObjectStore, key: string): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of await store.get(key)) chunks.push(chunk);
	return Buffer.concat(chunks).toString();
}
