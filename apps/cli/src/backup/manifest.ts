import { isNotFound, type ObjectStore } from "@repldock/objects";
import { z } from "zod";
import { say, yellow } from "../text.ts";

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
/** One `BackedUpObject` a line: what the backup names, and what is copied for it, written before the first copy. */
export const objectListName = "objects.jsonl";
export const copyListName = "copies.jsonl";
const manifestName = "manifest.json";
const markName = "begun";

export function backupPrefix(time: string): string {
	return `${root}${time}/`;
}

/** A time as part of a key: `2026-11-24T22-49-00.123Z`, which sorts as the times do. */
export function timeName(date: Date): string {
	return date.toISOString().replaceAll(":", "-");
}

export interface HalfBackup {
	time: string;
	/** Its mark is there: it is being made, or was killed. Without, it has failed or is being removed. */
	isMarked: boolean;
	/** When something was last put into it, by the store's clock. */
	changedAt: Date;
}

/** Times of the whole backups in a store, oldest first, and those that were begun and not finished. */
export async function listBackups(store: ObjectStore): Promise<{ whole: string[]; half: HalfBackup[] }> {
	const backups = new Map<string, HalfBackup & { isWhole: boolean }>();
	for await (const { key, modifiedAt } of store.list(root)) {
		const [time = "", name] = key.slice(root.length).split("/");
		const before = backups.get(time) ?? { time, isMarked: false, changedAt: modifiedAt, isWhole: false };
		backups.set(time, {
			time,
			isMarked: before.isMarked || name === markName,
			changedAt: modifiedAt > before.changedAt ? modifiedAt : before.changedAt,
			isWhole: before.isWhole || name === manifestName,
		});
	}
	const all = [...backups.values()];
	return {
		whole: all.filter(({ isWhole }) => isWhole).map(({ time }) => time),
		half: all.filter(({ isWhole }) => !isWhole).map(({ isWhole: _, ...half }) => half),
	};
}

/**
 * Works while a mark stands at `backups/<time>/begun` in each store. In the instance's own store it keeps the nodes from
 * removing objects (`apps/node/src/checkpoints/garbage.ts`): a row that is thinned out after the dump leaves an old object
 * that the dump alone needs. In the store of the backups it keeps others from removing what this one builds on.
 */
export async function whileMarked<T>(
	stores: readonly ObjectStore[],
	prefix: string,
	work: () => Promise<T>,
): Promise<T> {
	const key = prefix + markName;
	try {
		for (const store of stores) await store.put(key, Buffer.from(`${new Date().toISOString()}\n`));
		return await work();
	} finally {
		for (const store of stores) {
			await store.remove([key]).catch((error: unknown) => {
				const why = error instanceof Error ? error.message : String(error);
				say(
					`${yellow("!")} ${key} stays in ${store.description} and holds up the removal of garbage for a week: ${why}`,
				);
			});
		}
	}
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
