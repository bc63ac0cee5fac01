import { createHash } from "node:crypto";
import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { constants, createZstdCompress, createZstdDecompress, type ZstdOptions, zstdCompress } from "node:zlib";
import { type ObjectStore, ObjectStoreError } from "@repldock/objects";
import type { Checkpoint } from "@repldock/protocol";
import type { SnapshotName, Snapshots } from "../host-storage.ts";

/** Measured best for small source files: smaller than the file system's own compression by far, and as fast as a disk. */
const compressionLevel = 3;
const compression = { params: { [constants.ZSTD_c_compressionLevel]: compressionLevel } };
/** In one piece, so that its tables are no larger than the bytes ask for. */
const compress = promisify<Buffer, ZstdOptions, Buffer>(zstdCompress);

const readBytes = 256 * 1024;

/**
 * A snapshot's bytes as they are stored; throws at the end when not all of it could be sent. Few bytes are sent and compressed
 * without a program: each start of one takes longer than they do. A full one of many bytes goes through two programs: this
 * process sees the compressed bytes alone.
 */
export async function* compressed(
	snapshots: Pick<Snapshots, "send" | "sendSmall">,
	snapshot: SnapshotName,
	parent: SnapshotName | null,
): AsyncGenerator<Buffer> {
	const small = await snapshots.sendSmall(snapshot, parent);
	if (small) {
		yield await compress(small, compression);
		return;
	}
	if (parent === null) {
		const sent = snapshots.send(snapshot, null, ["zstd", "--quiet", "--stdout", `-${compressionLevel}`]);
		for await (const chunk of sent.output) yield chunk as Buffer;
		return sent.done;
	}
	const sent = snapshots.send(snapshot, parent);
	const compressor = createZstdCompress(compression);
	const piped = pipeline(sent.output, compressor);
	piped.catch(() => undefined);
	for await (const chunk of compressor) yield chunk as Buffer;
	await piped;
	await sent.done;
}

/**
 * Reads until the end, or a little more than this many bytes.
 * @returns what was read, and the rest that is still to come; null when there is none.
 */
export async function readStart(
	chunks: AsyncGenerator<Buffer>,
	mostBytes: number,
): Promise<{ start: Buffer; rest: AsyncGenerator<Buffer> | null }> {
	const parts: Buffer[] = [];
	let bytes = 0;
	while (bytes <= mostBytes) {
		const { value, done } = await chunks.next();
		if (done) return { start: Buffer.concat(parts), rest: null };
		parts.push(value);
		bytes += value.length;
	}
	return { start: Buffer.concat(parts), rest: chunks };
}

/** A body for the store, with its own sum once it was read to its end. */
export interface JoinedBody {
	body: Readable;
	sha256(): string;
}

/** One body for the store: what was read, what is to come, and at the end what depends on their sum and length. */
export function joined(
	start: Buffer,
	rest: AsyncGenerator<Buffer>,
	finish: (bytes: number, sha256: string) => Buffer,
): JoinedBody {
	const hash = createHash("sha256").update(start);
	async function* body() {
		let bytes = start.length;
		yield start;
		for await (const chunk of rest) {
			hash.update(chunk);
			bytes += chunk.length;
			yield chunk;
		}
		// The sum so far; the same hash goes on to that of the whole body.
		const end = finish(bytes, hash.copy().digest("hex"));
		hash.update(end);
		yield end;
	}
	return { body: Readable.from(body(), { objectMode: false }), sha256: () => hash.copy().digest("hex") };
}

/**
 * Makes the checkpoint's snapshot again from its object.
 * @throws ObjectStoreError when the store does not have it as it was stored. What was received by then is not whole.
 */
export async function receiveCheckpoint(
	store: ObjectStore,
	snapshots: Pick<Snapshots, "receive">,
	projectId: string,
	checkpoint: Checkpoint,
): Promise<void> {
	const { key, start, bytes, sha256, parent } = checkpoint;
	const stored = await store.get(key, { range: { start, end: start + bytes } });
	const hash = createHash("sha256");
	async function* counted(source: AsyncIterable<Buffer>) {
		for await (const chunk of source) {
			hash.update(chunk);
			yield chunk;
		}
		if (hash.digest("hex") !== sha256) throw damaged(key);
	}
	const isFull = parent === null;
	const verified = new PassThrough({ highWaterMark: readBytes });
	const unpacked = isFull ? verified : createZstdDecompress();
	const piped = isFull ? pipeline(stored, counted, verified) : pipeline(stored, counted, unpacked);
	piped.catch(() => undefined);
	try {
		await snapshots.receive(projectId, {
			stream: unpacked,
			through: isFull ? ["zstd", "--quiet", "--decompress", "--stdout"] : null,
		});
	} catch (error) {
		stored.destroy();
		await piped.catch((cause: unknown) => {
			if (cause instanceof ObjectStoreError) throw cause;
		});
		// Bytes that are not those that were stored make no sense to whoever reads them, who breaks off before their end is seen.
		await verify(store, checkpoint);
		throw error;
	}
	await piped;
}

/** @throws ObjectStoreError when the store does not have the checkpoint as it was stored. */
async function verify(store: ObjectStore, { key, start, bytes, sha256 }: Checkpoint): Promise<void> {
	const hash = createHash("sha256");
	for await (const chunk of await store.get(key, { range: { start, end: start + bytes } })) hash.update(chunk);
	if (hash.digest("hex") !== sha256) throw damaged(key);
}

const damaged = (key: string) => new ObjectStoreError("corrupt", `The object ${key} is damaged.`);
