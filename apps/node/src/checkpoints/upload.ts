import { createHash } from "node:crypto";
import { type ObjectStore, ObjectStoreError } from "@repldock/objects";
import type { Checkpoint, ProjectFacts } from "@repldock/protocol";
import type { SnapshotName, Snapshots } from "../host-storage.ts";
import { ownKey, type PackEntry, packKey, sealPack } from "./pack.ts";
import { compressed, joined, readStart } from "./stream.ts";

/** A snapshot that is to become durable. */
export interface Pending {
	checkpoint: Omit<PackEntry, "start" | "bytes" | "sha256" | "project">;
	/** Of its project, to be read where the database is lost. */
	facts: ProjectFacts | undefined;
	snapshot: SnapshotName;
	/** What it builds on. */
	parent: SnapshotName | null;
}

/** Told one by one, as soon as the store has acknowledged it. */
export interface Uploaded {
	pending: Pending;
	checkpoint: Checkpoint;
}

/** Larger ones get an object of their own: they are not held in memory. */
const smallMostBytes = 512 * 1024;
const packMostBytes = 8 * 1024 * 1024;

/** Sending takes a processor; more at a time only wait for each other. */
const atATime = 3;

/**
 * Brings snapshots into the store, small ones together. One that cannot be sent or stored keeps none of the others back.
 * @param nodeId names the objects of small ones.
 */
export async function upload(
	{ store, snapshots, nodeId }: { store: ObjectStore; snapshots: Snapshots; nodeId: string },
	work: readonly Pending[],
	on: { uploaded(done: readonly Uploaded[]): void; failed(pending: readonly Pending[], error: unknown): void },
	signal: AbortSignal,
): Promise<void> {
	const queue = [...work];
	// Rises from one call to the next even if the clock is set back, so that no object takes another's place.
	const packedAtMs = Math.max(...work.map(({ checkpoint }) => checkpoint.sequence));
	let packs = 0;
	let pack: { pending: Pending; bytes: Buffer }[] = [];
	let packBytes = 0;

	async function storePack() {
		const content = pack;
		if (content.length === 0) return;
		pack = [];
		packBytes = 0;
		const key = packKey(nodeId, packedAtMs, packs);
		packs += 1;
		let start = 0;
		const entries = content.map(({ pending, bytes }) => {
			const entry = { ...pending.checkpoint, start, bytes: bytes.length, sha256: sumOf(bytes) };
			start += bytes.length;
			return entry;
		});
		const index = entries.map((entry, at) => ({ ...entry, project: content[at]?.pending.facts }));
		const body = Buffer.concat([...content.map(({ bytes }) => bytes), sealPack(index)]);
		try {
			requireSum(key, await store.put(key, body, { signal }), sumOf(body));
			on.uploaded(
				content.map(({ pending }, at) => ({
					pending,
					checkpoint: { ...(entries[at] as Omit<PackEntry, "project">), key },
				})),
			);
		} catch (error) {
			on.failed(
				content.map(({ pending }) => pending),
				error,
			);
		}
	}

	async function storeOne(pending: Pending) {
		const { projectId, generation, sequence } = pending.checkpoint;
		const bytes = compressed(snapshots, pending.snapshot, pending.parent);
		const { start, rest } = await readStart(bytes, smallMostBytes);
		if (rest === null) {
			pack.push({ pending, bytes: start });
			packBytes += start.length;
			if (packBytes >= packMostBytes) await storePack();
			return;
		}
		const key = ownKey(nodeId, projectId, generation, sequence);
		let entry: Omit<PackEntry, "project"> | undefined;
		const { body, sha256: sumOfBody } = joined(start, rest, (bytes, sha256) => {
			entry = { ...pending.checkpoint, start: 0, bytes, sha256 };
			return sealPack([{ ...entry, project: pending.facts }]);
		});
		const put = await store.put(key, body, { signal });
		if (!entry) throw new Error("the store acknowledged an object before its end");
		requireSum(key, put, sumOfBody());
		on.uploaded([{ pending, checkpoint: { ...entry, key } }]);
	}

	async function worker() {
		for (let pending = queue.shift(); pending; pending = queue.shift()) {
			try {
				await storeOne(pending);
			} catch (error) {
				on.failed([pending], error);
			}
		}
	}

	await Promise.all(Array.from({ length: atATime }, worker));
	await storePack();
}

function sumOf(bytes: Buffer): string {
	return createHash("sha256").update(bytes).digest("hex");
}

/** A store that lies about what it took is asked again. */
function requireSum(key: string, put: { sha256: string }, sha256: string) {
	if (put.sha256 === sha256) return;
	throw new ObjectStoreError("corrupt", `The object store took other bytes for ${key} than it was sent.`);
}
