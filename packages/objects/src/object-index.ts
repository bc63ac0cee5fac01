import { buffer } from "node:stream/consumers";
import { ObjectStoreError } from "./errors.ts";
import type { ObjectStore } from "./store.ts";

/**
 * The end of an object that tells what is in it: an index as JSON, its length (4 bytes, big endian) and these four
 * letters. Whoever has the objects alone can find out what they are.
 */
const signature = "RDK1";
const trailerBytes = 8;

/** Indices are small; a larger one is none of ours. */
const indexMostBytes = 16 * 1024 * 1024;

/** Almost every index comes with the first read. */
const firstReadBytes = 64 * 1024;

/** What ends an object, after its content. */
export function sealIndex(index: unknown): Buffer {
	const text = Buffer.from(JSON.stringify(index));
	const trailer = Buffer.alloc(trailerBytes);
	trailer.writeUInt32BE(text.length, 0);
	trailer.write(signature, 4, "latin1");
	return Buffer.concat([text, trailer]);
}

/** @throws ObjectStoreError `corrupt` when the object has no index, or what the store throws. */
export async function readIndex(store: ObjectStore, key: string, bytes: number): Promise<unknown> {
	const end = await readRange(store, key, bytes - firstReadBytes, bytes);
	const trailer = end.subarray(-trailerBytes);
	const length = trailer.length === trailerBytes ? trailer.readUInt32BE(0) : 0;
	const isOurs = trailer.subarray(4).toString("latin1") === signature;
	if (!isOurs || length > Math.min(indexMostBytes, bytes - trailerBytes)) {
		throw new ObjectStoreError("corrupt", `The object ${key} has no index of checkpoints.`);
	}
	const whole = trailerBytes + length;
	const text = end.length >= whole ? end.subarray(-whole) : await readRange(store, key, bytes - whole, bytes);
	try {
		return JSON.parse(text.subarray(0, length).toString());
	} catch (cause) {
		throw new ObjectStoreError("corrupt", `The index of the object ${key} makes no sense.`, cause);
	}
}

async function readRange(store: ObjectStore, key: string, start: number, end: number): Promise<Buffer> {
	return buffer(await store.get(key, { range: { start: Math.max(0, start), end } }));
}
