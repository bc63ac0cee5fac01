import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress, createZstdDecompress } from "node:zlib";
import { type ObjectStore, ObjectStoreError } from "@repldock/objects";
import type { Checkpoint } from "@repldock/protocol";
import type { SentSnapshot, Snapshots } from "../host.ts";

/** Measured best for small source files: smaller than the file system's own compression by far, and as fast as a disk. */
const compressionLevel = 3;

/** A snapshot's bytes as they are stored; throws at the end when not all of it could be sent. */
export async function* compressed(sent: SentSnapshot): AsyncGenerator<Buffer> {
	const compressor = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: compressionLevel } });
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

/** One body for the store: what was read, what is to come, and at the end what depends on their sum and length. */
export function joined(
	start: Buffer,
	rest: AsyncGenerator<Buffer>,
	finish: (bytes: number, sha256: string) => Buffer,
): Readable {
	async function* body() {
		const hash = createHash("sha256").update(start);
		let bytes = start.length;
		yield start;
		for await (const chunk of rest) {
			hash.update(chunk);
			bytes += chunk.length;
			yield chunk;
		}
		yield finish(bytes, hash.digest("hex"));
	}
	return Readable.from(body(), { objectMode: false });
}

/**
 * Makes the checkpoint's snapshot again from its object.
 * @throws ObjectStoreError when the store does not have it as it was stored. What was received by then is not whole.
 */
export async function receiveCheckpoint(
	store: ObjectStore,
	snapshots: Pick<Snapshots, "receive">,
	projectId: string,
	{ key, start, bytes, sha256 }: Checkpoint,
): Promise<void> {
	const stored = await store.get(key, { range: { start, end: start + bytes } });
	const hash = createHash("sha256");
	async function* counted(source: AsyncIterable<Buffer>) {
		for await (const chunk of source) {
			hash.update(chunk);
			yield chunk;
		}
		if (hash.digest("hex") !== sha256) throw new ObjectStoreError("corrupt", `The object ${key} is damaged.`);
	}
	const decompressor = createZstdDecompress();
	const piped = pipeline(stored, counted, decompressor);
	piped.catch(() => undefined);
	try {
		await snapshots.receive(projectId, decompressor);
	} catch (error) {
		// Bytes that are not those that were stored make no sense to whoever reads them: then the store's error tells why.
		stored.destroy();
		await piped.catch((cause: unknown) => {
			if (cause instanceof ObjectStoreError) throw cause;
		});
		throw error;
	}
	await piped;
}
