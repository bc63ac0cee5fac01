import { createHash } from "node:crypto";
import { appendFile, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { z } from "zod";

/**
 * A document's history on the agent's own disk. Records in order: one header, then updates and marks. A mark says of
 * all updates before it that they make the file's content with that hash: `written` false before the file is
 * replaced, true afterwards. Whatever moment the agent dies in, the file's hash then tells which updates it holds.
 */
export interface JournalContent {
	header: JournalHeader;
	updates: Uint8Array[];
	marks: JournalMark[];
	/** Bytes of the file. */
	size: number;
}

const JournalHeader = z.object({ version: z.literal(1), epoch: z.string(), path: z.string() });
export type JournalHeader = z.infer<typeof JournalHeader>;

const StoredMark = z.object({
	hash: z.string(),
	written: z.boolean(),
	format: z.object({
		byteOrderMark: z.boolean(),
		ending: z.enum(["\n", "\r\n", "\r"]),
		mixed: z.string().nullable(),
	}),
});
type StoredMark = z.infer<typeof StoredMark>;
/** `updates`: how many updates come before the mark. */
export type JournalMark = StoredMark & { updates: number };

const recordHeader = 1;
const recordUpdate = 2;
const recordMark = 3;

/** Appends to one journal, in order. Methods return at once; `flush` waits until all is in the file. */
export interface Journal {
	update(update: Uint8Array): void;
	mark(mark: StoredMark): void;
	/** Replaces the whole content, atomically. */
	rewrite(base: Uint8Array, mark: StoredMark | null, later: readonly Uint8Array[]): void;
	/** Goes on under another path. */
	move(path: string): void;
	remove(): void;
	/** @throws the first error since the last call; the journal then needs a `rewrite`. */
	flush(): Promise<void>;
	/** Bytes of the file. */
	size(): number;
}

export function journalFile(directory: string, path: string): string {
	return join(directory, createHash("sha256").update(path).digest("hex"));
}

/** @returns null when there is none, or none that can be read; a torn tail (the agent died in a write) is left out. */
export async function readJournal(file: string): Promise<JournalContent | null> {
	let bytes: Buffer;
	try {
		bytes = await readFile(file);
	} catch (error) {
		if (isNotFound(error)) return null;
		throw error;
	}
	let header: JournalHeader | undefined;
	const updates: Uint8Array[] = [];
	const marks: JournalMark[] = [];
	for (const { kind, payload } of readRecords(bytes)) {
		if (kind === recordUpdate) updates.push(payload);
		else if (kind === recordMark) marks.push({ ...StoredMark.parse(parseJson(payload)), updates: updates.length });
		else if (kind === recordHeader) header = JournalHeader.parse(parseJson(payload));
	}
	return header ? { header, updates, marks, size: bytes.length } : null;
}

/** Files of all journals in the directory. */
export async function listJournals(directory: string): Promise<string[]> {
	try {
		const names = await readdir(directory);
		return names.filter((name) => /^[0-9a-f]{64}$/.test(name)).map((name) => join(directory, name));
	} catch (error) {
		if (isNotFound(error)) return [];
		throw error;
	}
}

export function createJournal(directory: string, header: JournalHeader, size: number): Journal {
	let path = header.path;
	let file = journalFile(directory, path);
	let queue: Promise<void> = Promise.resolve();
	/** Records that wait for the append which is next in the queue. */
	let batch: Buffer[] | undefined;
	let failure: unknown;
	/** Nothing is appended behind a gap. */
	let broken = false;
	let bytes = size;

	function enqueue(work: () => Promise<void>) {
		queue = queue.then(work).catch((error: unknown) => {
			broken = true;
			failure ??= error;
		});
	}

	function append(record: Buffer) {
		bytes += record.length;
		if (batch) {
			batch.push(record);
			return;
		}
		const own = [record];
		batch = own;
		enqueue(async () => {
			if (batch === own) batch = undefined;
			if (own.length === 0) return;
			// Told each time: whoever waits for it writes the journal anew, until the disk takes it.
			if (broken) throw new Error("what came before this is not in the journal");
			await appendFile(file, Buffer.concat(own), { mode: 0o600 });
		});
	}

	/** Records that still wait are not written any more, and later ones wait behind what is enqueued next. */
	function dropBatch() {
		if (batch) batch.length = 0;
		batch = undefined;
	}

	const headerRecord = () =>
		encodeRecord(recordHeader, Buffer.from(JSON.stringify({ version: 1, epoch: header.epoch, path })));

	return {
		update: (update) => append(encodeRecord(recordUpdate, update)),
		mark: (mark) => append(encodeRecord(recordMark, Buffer.from(JSON.stringify(mark)))),

		rewrite(base, mark, later) {
			const content = Buffer.concat([
				headerRecord(),
				encodeRecord(recordUpdate, base),
				...(mark ? [encodeRecord(recordMark, Buffer.from(JSON.stringify(mark)))] : []),
				...later.map((update) => encodeRecord(recordUpdate, update)),
			]);
			dropBatch();
			bytes = content.length;
			enqueue(async () => {
				await mkdir(directory, { recursive: true, mode: 0o700 });
				await writeFile(`${file}.new`, content, { mode: 0o600 });
				await rename(`${file}.new`, file);
				broken = false;
			});
		},

		move(newPath) {
			path = newPath;
			const record = headerRecord();
			batch = undefined;
			enqueue(async () => {
				const old = file;
				file = journalFile(directory, newPath);
				await rename(old, file);
				await appendFile(file, record);
			});
		},

		remove() {
			dropBatch();
			enqueue(() => rm(file, { force: true }));
		},

		async flush() {
			await queue;
			if (failure === undefined) return;
			const error = failure;
			failure = undefined;
			throw error;
		},

		size: () => bytes,
	};
}

/** `u32 length, u32 CRC-32 of the rest, u8 kind, payload`, numbers in little endian. */
function encodeRecord(kind: number, payload: Uint8Array): Buffer {
	const record = Buffer.allocUnsafe(9 + payload.length);
	record.writeUInt32LE(payload.length, 0);
	record[8] = kind;
	record.set(payload, 9);
	record.writeUInt32LE(crc32(record.subarray(8)), 4);
	return record;
}

function* readRecords(bytes: Buffer): Generator<{ kind: number; payload: Uint8Array }> {
	let offset = 0;
	while (offset + 9 <= bytes.length) {
		const end = offset + 9 + bytes.readUInt32LE(offset);
		if (end > bytes.length || crc32(bytes.subarray(offset + 8, end)) !== bytes.readUInt32LE(offset + 4)) return;
		yield { kind: bytes[offset + 8] ?? 0, payload: bytes.subarray(offset + 9, end) };
		offset = end;
	}
}

function parseJson(payload: Uint8Array): unknown {
	return JSON.parse(Buffer.from(payload).toString("utf8"));
}

function isNotFound(error: unknown): boolean {
	return error instanceof Error && "code" in error && error.code === "ENOENT";
}
