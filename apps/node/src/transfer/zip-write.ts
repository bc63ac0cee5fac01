import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { crc32, createDeflateRaw, deflateRaw, deflateRawSync } from "node:zlib";
import type { TreeEntry } from "../host-files.ts";

/**
 * Zip as APPNOTE.TXT describes it, with its 64-bit extension where it is needed. Own code, since what there is keeps a
 * JavaScript object for each of a million entries; here an entry costs the bytes of its directory record.
 */
const deflate = promisify(deflateRaw);

const signatures = { file: 0x04034b50, descriptor: 0x08074b50, directory: 0x02014b50, end: 0x06054b50 } as const;
const signatures64 = { end: 0x06064b50, locator: 0x07064b50 } as const;
const largest16 = 0xffff;
const largest32 = 0xffffffff;
/** Files of this size may need 64 bits once they are deflated, which can make them a little larger. */
const wideFrom = 0xf0000000;
/** Up to this size a file is deflated in one piece, and its sizes stand before it. */
const smallBytes = 1024 * 1024;
/** Up to this size at once: to hand it to another thread would take longer. */
const tinyBytes = 16 * 1024;
/** Thousands of small files make few pieces. */
const pieceBytes = 64 * 1024;
const version = 45;
const madeByUnix = 3 << 8;
const flags = { sizesFollow: 1 << 3, utf8: 1 << 11 } as const;
const methods = { stored: 0, deflated: 8 } as const;
const fileTypes = { file: 0o100000, directory: 0o040000, link: 0o120000 } as const;
const dosDirectory = 0x10;
const pageBytes = 1024 * 1024;

/** Longest name that a zip can hold, in bytes. */
export const zipNameMaxBytes = largest16;

interface Packed {
	method: number;
	crc: number;
	size: number;
	packedSize: number;
}

/** A zip of these entries, piece by piece as it is read. Links are kept as links; holes are packed as zeros. */
export async function* writeZip(entries: AsyncIterable<TreeEntry>): AsyncGenerator<Buffer> {
	const directory = createPages();
	let offset = 0;
	let count = 0;
	let waiting: Buffer[] = [];
	let waitingBytes = 0;
	function add(part: Buffer) {
		waiting.push(part);
		waitingBytes += part.length;
		offset += part.length;
	}
	function* piece(leastBytes: number): Generator<Buffer> {
		if (waitingBytes < leastBytes) return;
		yield Buffer.concat(waiting);
		waiting = [];
		waitingBytes = 0;
	}

	for await (const entry of entries) {
		const start = offset;
		const name = entry.kind === "directory" ? Buffer.concat([entry.path, Buffer.from("/")]) : entry.path;
		let packed: Packed;
		let common: Buffer;
		if (entry.size <= smallBytes) {
			const content = await contentOf(entry);
			const bytes = entry.kind === "file" ? await deflateWhole(content) : content;
			const method = bytes === content ? methods.stored : methods.deflated;
			packed = { method, crc: crc32(content), size: content.length, packedSize: bytes.length };
			common = commonFields(entry, name, method, 0);
			add(localHeader(common, name, entry, packed, false));
			add(bytes);
		} else {
			const isWide = entry.size >= wideFrom;
			packed = { method: methods.deflated, crc: 0, size: 0, packedSize: 0 };
			common = commonFields(entry, name, methods.deflated, flags.sizesFollow);
			add(localHeader(common, name, entry, null, isWide));
			for await (const chunk of deflated(entry, packed)) {
				packed.packedSize += chunk.length;
				add(chunk);
				yield* piece(pieceBytes);
			}
			add(sizesAfter(packed, isWide));
		}
		yield* piece(pieceBytes);
		directory.add(directoryRecord(common, name, entry, packed, start));
		count += 1;
	}
	yield* piece(1);
	yield* directory.all();
	yield end(count, directory.length(), offset);
}

/** Of a link where it leads, of a directory nothing. */
async function contentOf(entry: TreeEntry): Promise<Buffer> {
	if (entry.size === 0) return entry.target;
	const chunks: Buffer[] = [];
	for await (const chunk of entry.read({ start: 0, end: entry.size })) chunks.push(chunk);
	return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}

/** @returns the content itself where deflating does not make it shorter. */
async function deflateWhole(content: Buffer): Promise<Buffer> {
	if (content.length === 0) return content;
	// What a small file needs of memory, and so of time, is a small part of what zlib takes by itself.
	const windowBits = Math.min(15, Math.max(9, Math.ceil(Math.log2(content.length))));
	const options = { windowBits, memLevel: windowBits - 7 };
	const bytes = content.length <= tinyBytes ? deflateRawSync(content, options) : await deflate(content, options);
	return bytes.length < content.length ? bytes : content;
}

/** Deflates a large file's content; counts what goes in. */
async function* deflated(entry: TreeEntry, packed: Packed): AsyncGenerator<Buffer> {
	async function* content() {
		for await (const chunk of entry.read({ start: 0, end: entry.size })) {
			packed.crc = crc32(chunk, packed.crc);
			packed.size += chunk.length;
			yield chunk;
		}
	}
	const stream = createDeflateRaw();
	const fed = pipeline(Readable.from(content()), stream);
	// Told by the stream's own error to whoever reads it.
	fed.catch(() => undefined);
	yield* stream as AsyncIterable<Buffer>;
	await fed;
}

/** Version needed, flags, method, time and date: the same in both headers. */
function commonFields(entry: TreeEntry, name: Buffer, method: number, flag: number): Buffer {
	const isText = Buffer.from(name.toString("utf8")).equals(name);
	const { time, date } = dosTime(entry.modifiedAtMs);
	const bytes = Buffer.alloc(10);
	bytes.writeUInt16LE(version, 0);
	bytes.writeUInt16LE((isText ? flags.utf8 : 0) | flag, 2);
	bytes.writeUInt16LE(method, 4);
	bytes.writeUInt16LE(time, 6);
	bytes.writeUInt16LE(date, 8);
	return bytes;
}

/** @param known null where the sizes follow. */
function localHeader(common: Buffer, name: Buffer, entry: TreeEntry, known: Packed | null, isWide: boolean): Buffer {
	const extra = Buffer.concat([timeField(entry), ...(isWide ? [wideField([0, 0])] : [])]);
	const bytes = Buffer.alloc(30);
	bytes.writeUInt32LE(signatures.file, 0);
	common.copy(bytes, 4);
	bytes.writeUInt32LE(known?.crc ?? 0, 14);
	bytes.writeUInt32LE(isWide ? largest32 : (known?.packedSize ?? 0), 18);
	bytes.writeUInt32LE(isWide ? largest32 : (known?.size ?? 0), 22);
	bytes.writeUInt16LE(name.length, 26);
	bytes.writeUInt16LE(extra.length, 28);
	return Buffer.concat([bytes, name, extra]);
}

function sizesAfter({ crc, size, packedSize }: Packed, isWide: boolean): Buffer {
	const bytes = Buffer.alloc(isWide ? 24 : 16);
	bytes.writeUInt32LE(signatures.descriptor, 0);
	bytes.writeUInt32LE(crc, 4);
	if (isWide) {
		bytes.writeBigUInt64LE(BigInt(packedSize), 8);
		bytes.writeBigUInt64LE(BigInt(size), 16);
	} else {
		bytes.writeUInt32LE(packedSize, 8);
		bytes.writeUInt32LE(size, 12);
	}
	return bytes;
}

function directoryRecord(common: Buffer, name: Buffer, entry: TreeEntry, packed: Packed, start: number): Buffer {
	const { crc, size, packedSize } = packed;
	const wide = [size, packedSize, start].filter((value) => value >= largest32);
	const extra = Buffer.concat([timeField(entry), ...(wide.length > 0 ? [wideField(wide)] : [])]);
	const bytes = Buffer.alloc(46);
	bytes.writeUInt32LE(signatures.directory, 0);
	bytes.writeUInt16LE(madeByUnix | version, 4);
	common.copy(bytes, 6);
	bytes.writeUInt32LE(crc, 16);
	bytes.writeUInt32LE(Math.min(packedSize, largest32), 20);
	bytes.writeUInt32LE(Math.min(size, largest32), 24);
	bytes.writeUInt16LE(name.length, 28);
	bytes.writeUInt16LE(extra.length, 30);
	bytes.writeUInt16LE(fileTypes[entry.kind] | entry.mode, 40);
	bytes.writeUInt8(entry.kind === "directory" ? dosDirectory : 0, 38);
	bytes.writeUInt32LE(Math.min(start, largest32), 42);
	return Buffer.concat([bytes, name, extra]);
}

function end(count: number, directoryBytes: number, directoryStart: number): Buffer {
	const parts: Buffer[] = [];
	if (count >= largest16 || directoryBytes >= largest32 || directoryStart >= largest32) {
		const wide = Buffer.alloc(56);
		wide.writeUInt32LE(signatures64.end, 0);
		wide.writeBigUInt64LE(44n, 4);
		wide.writeUInt16LE(madeByUnix | version, 12);
		wide.writeUInt16LE(version, 14);
		wide.writeBigUInt64LE(BigInt(count), 24);
		wide.writeBigUInt64LE(BigInt(count), 32);
		wide.writeBigUInt64LE(BigInt(directoryBytes), 40);
		wide.writeBigUInt64LE(BigInt(directoryStart), 48);
		const locator = Buffer.alloc(20);
		locator.writeUInt32LE(signatures64.locator, 0);
		locator.writeBigUInt64LE(BigInt(directoryStart + directoryBytes), 8);
		locator.writeUInt32LE(1, 16);
		parts.push(wide, locator);
	}
	const bytes = Buffer.alloc(22);
	bytes.writeUInt32LE(signatures.end, 0);
	bytes.writeUInt16LE(Math.min(count, largest16), 8);
	bytes.writeUInt16LE(Math.min(count, largest16), 10);
	bytes.writeUInt32LE(Math.min(directoryBytes, largest32), 12);
	bytes.writeUInt32LE(Math.min(directoryStart, largest32), 16);
	return Buffer.concat([...parts, bytes]);
}

/** Extra field 1: values that do not fit into 32 bits. */
function wideField(values: readonly number[]): Buffer {
	const bytes = Buffer.alloc(4 + 8 * values.length);
	bytes.writeUInt16LE(1, 0);
	bytes.writeUInt16LE(8 * values.length, 2);
	for (const [index, value] of values.entries()) bytes.writeBigUInt64LE(BigInt(value), 4 + 8 * index);
	return bytes;
}

/** Extra field "UT": the time of the last change in seconds since 1970. */
function timeField({ modifiedAtMs }: TreeEntry): Buffer {
	const bytes = Buffer.alloc(9);
	bytes.writeUInt16LE(0x5455, 0);
	bytes.writeUInt16LE(5, 2);
	bytes.writeUInt8(1, 4);
	bytes.writeInt32LE(Math.min(0x7fffffff, Math.max(-0x80000000, Math.floor(modifiedAtMs / 1000))), 5);
	return bytes;
}

/** DOS knows the years from 1980 to 2107, and even seconds. */
function dosTime(atMs: number): { time: number; date: number } {
	const at = new Date(atMs);
	const year = at.getUTCFullYear();
	if (!(year >= 1980 && year <= 2107)) return { time: 0, date: (1 << 5) | 1 };
	return {
		time: (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1),
		date: ((year - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate(),
	};
}

/** Bytes that are added in small parts and kept in large ones. */
function createPages() {
	const full: Buffer[] = [];
	let page = Buffer.alloc(pageBytes);
	let used = 0;
	return {
		add(bytes: Buffer) {
			for (let at = 0; at < bytes.length; ) {
				if (used === pageBytes) {
					full.push(page);
					page = Buffer.alloc(pageBytes);
					used = 0;
				}
				const copied = bytes.copy(page, used, at);
				used += copied;
				at += copied;
			}
		},
		length: () => full.length * pageBytes + used,
		*all(): Generator<Buffer> {
			yield* full;
			if (used > 0) yield page.subarray(0, used);
		},
	};
}
