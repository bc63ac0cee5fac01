import { type ObjectStore, ObjectStoreError, readIndex, sealIndex } from "@repldock/objects";
import { type Checkpoint, PackEntry } from "@repldock/protocol";
import { z } from "zod";

export type { PackEntry };

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

/** What ends an object that holds checkpoints: their streams one after another, then an index of them. */
export function sealPack(entries: readonly PackEntry[]): Buffer {
	return sealIndex(entries);
}

/** @throws ObjectStoreError `corrupt` when the object is none of ours, or what the store throws. */
export async function readPack(store: ObjectStore, key: string, bytes: number): Promise<Checkpoint[]> {
	const entries = z.array(PackEntry).safeParse(await readIndex(store, key, bytes));
	if (entries.error) {
		throw new ObjectStoreError("corrupt", `The index of the object ${key} makes no sense.`, entries.error);
	}
	return entries.data.map(({ project: _, ...entry }) => ({ ...entry, key }));
}
