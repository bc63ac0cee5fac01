import { RepldockError } from "@repldock/protocol";
import { type ByteReader, createByteReader } from "./byte-reader.ts";

/**
 * Tar as POSIX (pax), GNU tar and old ones write it. Own code, since what there is takes an extended header of any
 * length into memory, and strangers write these.
 */
export interface ArchiveEntry {
	/** As the archive has it, not checked. */
	path: Buffer;
	kind: "file" | "directory" | "link" | "name" | "other";
	mode: number;
	modifiedAtMs: number;
	/** Bytes of a file, its holes included. */
	size: number;
	/** Where a link leads, or the file that gets a further name. */
	target: Buffer;
	/** Where in the file the content goes. */
	stretches: { start: number; end: number }[];
	content: AsyncIterable<Buffer>;
}

const blockBytes = 512;
const extendedMaxBytes = 1024 * 1024;
const mostStretches = 10_000;

/** What extended headers say of the next entry. */
type Records = ReadonlyMap<string, Buffer>;

/** Entries in order; each one's content can be read until the next one is asked for. @throws RepldockError `invalid_archive`. */
export async function* readTar(source: AsyncIterable<Buffer>): AsyncGenerator<ArchiveEntry> {
	const bytes = createByteReader(source);
	let records = new Map<string, Buffer>();
	const global = new Map<string, Buffer>();
	try {
		for (;;) {
			const block = await bytes.take(blockBytes);
			if (block.every((byte) => byte === 0)) return;
			requireChecksum(block);
			const type = String.fromCharCode(block[156] ?? 0);
			const size = numberOf(records.get("size")) ?? numberField(block, 124, 12);
			if (type === "x" || type === "g") {
				for (const [key, value] of readRecords(await takeExtended(bytes, size))) {
					(type === "x" ? records : global).set(key, value);
				}
				continue;
			}
			if (type === "L" || type === "K") {
				const name = untilZero(await takeExtended(bytes, size));
				records.set(type === "L" ? "path" : "linkpath", name);
				continue;
			}
			yield* oneEntry(bytes, block, type, size, new Map([...global, ...records]));
			records = new Map();
		}
	} finally {
		await bytes.end();
	}
}

async function* oneEntry(
	bytes: ByteReader,
	block: Buffer,
	type: string,
	storedSize: number,
	records: Records,
): AsyncGenerator<ArchiveEntry> {
	const path = records.get("GNU.sparse.name") ?? records.get("path") ?? nameField(block);
	const isFile = type === "0" || type === "\0" || type === "7";
	const kind = isFile && path.at(-1) === 0x2f ? "directory" : (kinds.get(type) ?? (isFile ? "file" : "other"));
	const hasContent = kind === "file" || !["1", "2", "3", "4", "5", "6"].includes(type);
	let left = hasContent ? storedSize : 0;
	const isSparse = records.has("GNU.sparse.major") || records.has("GNU.sparse.map") || type === "S";
	let size = storedSize;
	let stretches = storedSize === 0 ? [] : [{ start: 0, end: storedSize }];
	if (isSparse) {
		if (records.get("GNU.sparse.major")?.toString() !== "1") throw oldSparse();
		size = numberOf(records.get("GNU.sparse.realsize")) ?? 0;
		const map = await readSparseMap(bytes, size);
		stretches = map.stretches;
		left -= map.bytes;
		if (stretches.reduce((sum, { start, end }) => sum + end - start, 0) !== left) throw damaged();
	}
	const padding = (blockBytes - (storedSize % blockBytes)) % blockBytes;
	async function* content() {
		while (left > 0) {
			const chunk = await bytes.some(left);
			left -= chunk.length;
			yield chunk;
		}
	}
	yield {
		path,
		kind,
		mode: numberField(block, 100, 8),
		modifiedAtMs: timeOf(records.get("mtime")) ?? numberField(block, 136, 12) * 1000,
		size: kind === "file" ? size : 0,
		target: records.get("linkpath") ?? untilZero(block.subarray(157, 257)),
		stretches: kind === "file" ? stretches : [],
		content: content(),
	};
	while (left > 0) left -= (await bytes.some(left)).length;
	if (hasContent) await bytes.take(padding);
}

const kinds = new Map<string, ArchiveEntry["kind"]>([
	["1", "name"],
	["2", "link"],
	["5", "directory"],
]);

async function takeExtended(bytes: ByteReader, size: number): Promise<Buffer> {
	if (size > extendedMaxBytes) throw damaged();
	const content = await bytes.take(size);
	await bytes.take((blockBytes - (size % blockBytes)) % blockBytes);
	return content;
}

function* readRecords(content: Buffer): Generator<[string, Buffer]> {
	for (let at = 0; at < content.length; ) {
		const space = content.indexOf(0x20, at);
		const length = space < 0 ? Number.NaN : Number(content.toString("latin1", at, space));
		const equals = content.indexOf(0x3d, space);
		if (!Number.isInteger(length) || length <= 0 || at + length > content.length) throw damaged();
		if (equals < space || equals >= at + length) throw damaged();
		yield [content.toString("latin1", space + 1, equals), content.subarray(equals + 1, at + length - 1)];
		at += length;
	}
}

/** Decimal lines in whole blocks: how many stretches, then offset and length of each. */
async function readSparseMap(bytes: ByteReader, size: number) {
	let text = "";
	let blocks = 0;
	const numbers = (): number[] =>
		text
			.slice(0, text.lastIndexOf("\n") + 1)
			.split("\n")
			.slice(0, -1)
			.map(Number);
	for (;;) {
		text += (await bytes.take(blockBytes)).toString("latin1").replace(/\0+$/, "");
		blocks += 1;
		const [count] = numbers();
		if (count !== undefined && !(count >= 0 && count <= mostStretches)) throw damaged();
		if (count !== undefined && numbers().length >= 1 + 2 * count) break;
		if (blocks > mostStretches) throw damaged();
	}
	const [count = 0, ...values] = numbers();
	const stretches: { start: number; end: number }[] = [];
	let before = 0;
	for (let index = 0; index < count; index += 1) {
		const start = values[2 * index] ?? Number.NaN;
		const end = start + (values[2 * index + 1] ?? Number.NaN);
		if (!(Number.isSafeInteger(end) && start >= before && end >= start && end <= size)) throw damaged();
		if (end > start) stretches.push({ start, end });
		before = end;
	}
	return { stretches, bytes: blocks * blockBytes };
}

function requireChecksum(block: Buffer): void {
	const stated = numberField(block, 148, 8);
	let sum = 8 * 0x20;
	for (const [at, byte] of block.entries()) if (at < 148 || at >= 156) sum += byte;
	if (sum !== stated) throw damaged();
}

function nameField(block: Buffer): Buffer {
	const name = untilZero(block.subarray(0, 100));
	const isPosix = block.toString("latin1", 257, 263) === "ustar\0";
	const prefix = isPosix ? untilZero(block.subarray(345, 500)) : Buffer.alloc(0);
	return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from("/"), name]);
}

/** Octal digits, or with the highest bit set a binary number (GNU). */
function numberField(block: Buffer, at: number, length: number): number {
	const field = block.subarray(at, at + length);
	if (((field[0] ?? 0) & 0x80) === 0) {
		const digits = untilZero(field).toString("latin1").trim();
		if (!/^[0-7]*$/.test(digits)) throw damaged();
		return Number.parseInt(digits || "0", 8);
	}
	// A negative one, which only times before 1970 have.
	if (((field[0] ?? 0) & 0x40) !== 0) return 0;
	let value = BigInt((field[0] ?? 0) & 0x3f);
	for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte);
	if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged();
	return Number(value);
}

function numberOf(value: Buffer | undefined): number | undefined {
	if (!value) return undefined;
	const number = Number(value.toString("latin1"));
	if (!Number.isSafeInteger(number) || number < 0) throw damaged();
	return number;
}

function timeOf(value: Buffer | undefined): number | undefined {
	const seconds = value ? Number(value.toString("latin1")) : Number.NaN;
	return Number.isFinite(seconds) ? seconds * 1000 : undefined;
}

function untilZero(field: Buffer): Buffer {
	const end = field.indexOf(0);
	return end < 0 ? field : field.subarray(0, end);
}

function damaged(): RepldockError {
	return new RepldockError("invalid_archive", "This archive is damaged, or it is no archive. Pack it anew.");
}

function oldSparse(): RepldockError {
	return new RepldockError(
		"invalid_archive",
		"This archive holds a file with holes in an old format. Pack it with “tar --format=posix”.",
	);
}
