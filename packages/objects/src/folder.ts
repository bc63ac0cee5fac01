import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, opendir, rename, rmdir, stat, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { corrupt, notFound, ObjectStoreError } from "./errors.ts";
import { errorCode, folderError } from "./folder-errors.ts";
import { listFolder } from "./folder-list.ts";
import { checkKey, checkPrefix } from "./keys.ts";
import { readSeal, sealBytes, sealOf } from "./seal.ts";
import type { ObjectInfo, ObjectStore, PutResult } from "./store.ts";

/** Where objects grow before they get their name; no key can begin with a dot. */
const incomingName = ".incoming";

const readBytes = 256 * 1024;

/** How often a directory may vanish between its making and the renaming into it. */
const mostAttempts = 100;

/**
 * Objects as files of a folder, each with its sum in a seal behind its bytes (`seal.ts`). An object is written aside,
 * synced, renamed to its name, and the directory is synced: after a crash it is there whole or not at all.
 *
 * One restriction that buckets do not have: a key cannot be the beginning of another's path (`a` and `a/b`).
 * @throws ObjectStoreError when the folder cannot be made.
 */
export async function openFolderStore(path: string): Promise<ObjectStore> {
	const root = resolve(path);
	const incoming = join(root, incomingName);
	await translate(() => mkdir(incoming, { recursive: true, mode: 0o700 }));

	const fileOf = (key: string) => {
		checkKey(key);
		return join(root, key);
	};

	async function translate<T>(act: () => Promise<T>): Promise<T> {
		try {
			return await act();
		} catch (error) {
			throw folderError(error, root);
		}
	}

	/** A folder that was unmounted or moved away must not look like one without objects. */
	async function assertPresent() {
		const present = await stat(incoming).catch(() => null);
		if (!present) throw new ObjectStoreError("unavailable", `${root} is not there; is it mounted?`);
	}

	async function openObject(key: string): Promise<FileHandle> {
		const file = fileOf(key);
		try {
			const handle = await open(file, "r");
			if ((await handle.stat()).isFile()) return handle;
			await handle.close();
		} catch (error) {
			if (!["ENOENT", "ENOTDIR"].includes(errorCode(error) ?? "")) throw folderError(error, root);
			await assertPresent();
		}
		throw notFound(key);
	}

	/** Gives a finished file its name. A directory may be removed as empty between its making and the renaming. */
	async function publish(temporary: string, file: string) {
		for (let attempt = 1; ; attempt += 1) {
			let made: string | undefined;
			try {
				made = await mkdir(dirname(file), { recursive: true, mode: 0o700 });
				await rename(temporary, file);
			} catch (error) {
				if (errorCode(error) !== "ENOENT" || attempt === mostAttempts) throw error;
				await assertPresent();
				continue;
			}
			for (let directory = dirname(file); ; directory = dirname(directory)) {
				// Gone already: somebody removed the object, and its directory as an empty one.
				await syncDirectory(directory).catch(goneMeanwhile);
				// New directories are names in older ones, up to the one that holds the first new one.
				if (made === undefined || directory === dirname(made)) return;
			}
		}
	}

	async function put(key: string, body: Uint8Array | Readable, options: { signal?: AbortSignal } = {}) {
		const file = fileOf(key);
		const temporary = join(incoming, randomUUID());
		let result: PutResult;
		const handle = await translate(() => open(temporary, "wx", 0o600));
		try {
			try {
				result = await writeSealed(handle, body, options.signal);
			} finally {
				await handle.close();
			}
			await publish(temporary, file);
			return result;
		} catch (error) {
			if (body instanceof Readable) body.destroy();
			await unlink(temporary).catch(() => undefined);
			throw folderError(error, root);
		}
	}

	/** The file system's, which is another machine's where the folder is a share of one. */
	async function now(): Promise<Date> {
		const probe = join(incoming, randomUUID());
		return translate(async () => {
			const handle = await open(probe, "wx", 0o600);
			try {
				await handle.write("now");
				return (await handle.stat()).mtime;
			} finally {
				await handle.close();
				await unlink(probe);
			}
		});
	}

	return {
		description: root,
		put,
		async get(key, options = {}) {
			const handle = await openObject(key);
			try {
				return Readable.from(readObject(handle, key, root, options.range), {
					objectMode: false,
					highWaterMark: readBytes,
					...(options.signal ? { signal: options.signal } : {}),
				}).once("close", () => void handle.close().catch(() => undefined));
			} catch (error) {
				await handle.close();
				throw error;
			}
		},
		async head(key) {
			try {
				return objectInfo(key, await stat(fileOf(key)));
			} catch (error) {
				if (!["ENOENT", "ENOTDIR"].includes(errorCode(error) ?? "")) throw folderError(error, root);
				await assertPresent();
				return null;
			}
		},
		async *list(prefix, options = {}) {
			checkPrefix(prefix);
			await assertPresent();
			for await (const key of listFolder(root, prefix, options.after ?? "")) {
				const found = await translate(() => stat(join(root, key)).catch(goneMeanwhile));
				const info = found && objectInfo(key, found);
				if (info) yield info;
			}
			await assertPresent();
		},
		async remove(keys) {
			for (const key of keys) {
				const file = fileOf(key);
				await translate(async () => {
					await unlink(file).catch((error: unknown) => {
						if (!["ENOENT", "ENOTDIR", "EISDIR"].includes(errorCode(error) ?? "")) throw error;
					});
					await removeEmptyDirectories(dirname(file), root);
				});
			}
			await assertPresent();
		},
		now,
		async reclaim(olderThanMs) {
			let reclaimed = 0;
			const nowMs = (await now()).getTime();
			await translate(async () => {
				for await (const entry of await opendir(incoming)) {
					const file = join(incoming, entry.name);
					const found = await stat(file).catch(goneMeanwhile);
					if (!found || nowMs - found.mtimeMs < olderThanMs) continue;
					await unlink(file);
					reclaimed += 1;
				}
			});
			return reclaimed;
		},
	};
}

function goneMeanwhile(error: unknown): null {
	if (errorCode(error) === "ENOENT") return null;
	throw error;
}

function objectInfo(key: string, found: { isFile(): boolean; size: number; mtime: Date }): ObjectInfo | null {
	if (!found.isFile()) return null;
	return { key, bytes: Math.max(0, found.size - sealBytes), modifiedAt: found.mtime };
}

async function writeSealed(
	handle: FileHandle,
	body: Uint8Array | Readable,
	signal: AbortSignal | undefined,
): Promise<PutResult> {
	const hash = createHash("sha256");
	let bytes = 0;
	for await (const chunk of body instanceof Readable ? body : [body]) {
		signal?.throwIfAborted();
		const piece: Uint8Array = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
		hash.update(piece);
		await handle.appendFile(piece);
		bytes += piece.length;
	}
	signal?.throwIfAborted();
	const sum = hash.digest();
	await handle.appendFile(sealOf(sum));
	await handle.sync();
	return { bytes, sha256: sum.toString("hex") };
}

async function* readObject(
	handle: FileHandle,
	key: string,
	root: string,
	range: { start: number; end: number } | undefined,
): AsyncGenerator<Buffer> {
	try {
		const bodyBytes = (await handle.stat()).size - sealBytes;
		const seal = Buffer.alloc(sealBytes);
		if (bodyBytes >= 0) await handle.read(seal, 0, sealBytes, bodyBytes);
		const sum = readSeal(seal);
		if (!sum) throw corrupt(key, "its end is missing");
		const hash = createHash("sha256");
		const end = Math.min(range?.end ?? bodyBytes, bodyBytes);
		for (let position = range?.start ?? 0; position < end; ) {
			const buffer = Buffer.allocUnsafe(Math.min(readBytes, end - position));
			const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
			if (bytesRead === 0) throw corrupt(key, "it is shorter than it was");
			const piece = buffer.subarray(0, bytesRead);
			if (!range) hash.update(piece);
			position += bytesRead;
			yield piece;
		}
		if (!range && !hash.digest().equals(sum)) throw corrupt(key, "its SHA-256 is another one");
	} catch (error) {
		throw folderError(error, root);
	}
}

async function syncDirectory(directory: string): Promise<void> {
	const handle = await open(directory, "r");
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}

/** Removes directories that became empty, upwards, so that a listing does not walk through them for ever. */
async function removeEmptyDirectories(directory: string, root: string): Promise<void> {
	for (let path = directory; path !== root; path = dirname(path)) {
		try {
			await rmdir(path);
		} catch (error) {
			if (errorCode(error) === "ENOENT") continue;
			return;
		}
	}
}
