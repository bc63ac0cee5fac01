import type { Readable } from "node:stream";

/** Parts of large objects, and so the most memory that one `put` takes. */
export const partBytes = 8 * 1024 * 1024;

/** Most keys in one answer to a listing, and in one order to remove. */
export const pageKeys = 1000;

export interface ObjectInfo {
	readonly key: string;
	readonly bytes: number;
	readonly modifiedAt: Date;
}

export interface PutResult {
	readonly bytes: number;
	/** SHA-256 of the whole body, in hexadecimal. */
	readonly sha256: string;
}

/**
 * Objects by key: a folder, or a bucket of S3, R2 and their like. Every method throws `ObjectStoreError`; what it
 * throws otherwise came out of the caller's own stream, or is the reason of the caller's signal.
 *
 * Every call can be repeated without harm. A later `put` of a key replaces the object; readers see the old or the new
 * one whole.
 */
export interface ObjectStore {
	/** For people and logs: where the objects are, without any secret. */
	readonly description: string;

	/**
	 * Stores the object whole or not at all, and returns when it would survive a loss of power at the store. Large bodies
	 * go in parts, with `partBytes` of memory. A body that is a stream is read once and destroyed on failure.
	 */
	put(key: string, body: Uint8Array | Readable, options?: { signal?: AbortSignal }): Promise<PutResult>;

	/**
	 * The object's bytes. Of a whole object the sum is checked at its end, so use nothing of it before the stream has
	 * ended: a damaged one ends with `corrupt`, one that stalls with `unavailable`. A range is not checked.
	 * @param options.range bytes from `start` up to, but not including, `end`; what lies behind the object's end is left out.
	 * @throws ObjectStoreError `not_found`
	 */
	get(key: string, options?: { range?: { start: number; end: number }; signal?: AbortSignal }): Promise<Readable>;

	/** @returns null when the store says that there is no such object. */
	head(key: string): Promise<ObjectInfo | null>;

	/**
	 * Objects whose keys begin with the prefix, in byte order of their keys; with `after` only those that come behind it.
	 * Objects that come or go meanwhile are seen or not.
	 */
	list(prefix: string, options?: { after?: string }): AsyncIterable<ObjectInfo>;

	/** Removes objects; harmless for keys that are absent. */
	remove(keys: readonly string[]): Promise<void>;

	/**
	 * What time it is by the clock that `modifiedAt` is of, to the second. The caller's own clock may be anything.
	 * @throws ObjectStoreError also when the store does not say.
	 */
	now(): Promise<Date>;

	/**
	 * Gives back what uploads left that never finished and that nobody goes on with: younger ones, by the store's
	 * time, may be at work.
	 * @returns how many there were.
	 */
	reclaim(olderThanMs: number): Promise<number>;
}
