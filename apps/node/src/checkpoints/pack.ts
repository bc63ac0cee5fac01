import { buffer } from "node:stream/consumers";
import type { ObjectStore } from "@repldock/objects";
import { ObjectStoreError } from "@repldock/objects";
import { Checkpoint } from "@repldock/protocol";
import { z } from "zod";

/**
 * Objects that hold checkpoints: their streams one after another, an index of them as JSON, the length of the index
 * (4 bytes, big endian) and these four letters. Whoever has the objects alone can tell what they are.
 */
const signature = "RDK1";
const trailerBytes = 8;

/** Indices are small; a larger one is none of ours. */
const indexMostBytes = 16 * 1024 * 1024;

const PackEntry = Checkpoint.omit({ key: true });
export type PackEntry = z.infer<typeof PackEntry>;

/** A checkpoint that is large enough has an object of its own, under a key that no other generation and node writes. */
export function ownKey(nodeId: string, projectId: string, generation: number, sequence: number): string {
	return `projects/${projectId}/${generation}/${sequence}-${nodeId}`;
}

/** Small ones of one round share an object. */
export function packKey(nodeId: string, takenAtMs: number, number: number): string {
	return `packs/${nodeId}/${String(takenAtMs).padStart(15, "0")}-${number}`;
}

/** Whether this node wrote the object, and so knows what it has still to tell of it. */
export function isWrittenBy(nodeId: string, key: string): boolean {
	return key.startsWith(`packs/${nodeId}/`) || (key.startsWith("projects/") && key.endsWith(`-${nodeId}`));
}

/** What ends an object, after the streams. */
export function sealPack(entries: readonly PackEntry[]): Buffer {
	const index = Buffer.from(JSON.stringify(entries));
	const trailer = Buffer.alloc(trailerBytes);
	trailer.writeUInt32BE(index.length, 0);
	trailer.write(signature, 4, "latin1");
	return Buffer.concat([index, trailer]);
}

/** @throws ObjectStoreError `corrupt` when the object is none of ours, or what the store throws. */
export async function readPack(store: ObjectStore, key: string, bytes: number): Promise<Checkpoint[]> {
	const trailer = await readRange(store, key, bytes - trailerBytes, bytes);
	const length = trailer.length === trailerBytes ? trailer.readUInt32BE(0) : 0;
	const isOurs = trailer.subarray(4).toString("latin1") === signature;
	if (!isOurs || length > Math.min(indexMostBytes, bytes - trailerBytes)) {
		throw new ObjectStoreError("corrupt", `The object ${key} has no index of checkpoints.`);
	}
	const index = await readRange(store, key, bytes - trailerBytes - length, bytes - trailerBytes);
	try {
		return z
			.array(PackEntry)
			.parse(JSON.parse(index.toString()))
			.map((entry) => ({ ...entry, key }));
	} catch (cause) {
		throw new ObjectStoreError("corrupt", `The index of the object ${key} makes no sense.`, cause);
	}
}

async function readRange(store: ObjectStore, key: string, start: number, end: number): Promise<Buffer> {
	return buffer(await store.get(key, { range: { start: Math.max(0, start), end } }));
}
