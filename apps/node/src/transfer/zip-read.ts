import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import { RepldockError } from "@repldock/protocol";
import { type Entry, fromFd, getFileNameLowLevel, type ZipFile } from "yauzl";
import type { ArchiveEntry } from "./tar-read.ts";

const linkMaxBytes = 4096;
const fileTypes = { mask: 0o170000, directory: 0o040000, link: 0o120000, file: 0o100000 } as const;
const encrypted = 1;

/**
 * Entries of a zip in the order of its directory; each one's content can be read until the next one is asked for.
 * @param fd an open file, which the caller closes.
 * @throws RepldockError `invalid_archive`.
 */
export async function* readZip(fd: number): AsyncGenerator<ArchiveEntry> {
	const zip = await open(fd);
	const next = createEntryQueue(zip);
	for (let entry = await next(); entry; entry = await next()) {
		const isUnix = isFromUnix(entry);
		const path = nameOf(entry, isUnix);
		if (isMacs(path)) continue;
		if ((entry.generalPurposeBitFlag & encrypted) !== 0) {
			throw new RepldockError(
				"invalid_archive",
				"This zip has a password. Unpack it yourself and pack it without one.",
			);
		}
		const unixMode = isUnix ? entry.externalFileAttributes >>> 16 : 0;
		const type = unixMode & fileTypes.mask;
		const isDirectory = path.at(-1) === 0x2f || type === fileTypes.directory;
		const isLink = type === fileTypes.link && entry.uncompressedSize <= linkMaxBytes;
		const isOther = type !== 0 && type !== fileTypes.file && !isDirectory && type !== fileTypes.link;
		const kind = isDirectory ? "directory" : isLink ? "link" : isOther ? "other" : "file";
		const size = kind === "file" ? entry.uncompressedSize : 0;
		yield {
			path,
			kind,
			mode: unixMode & 0o777 || (isDirectory ? 0o755 : 0o644),
			modifiedAtMs: entry.getLastModDate({ timezone: "UTC" }).getTime(),
			size,
			target: kind === "link" ? await wholeContent(zip, entry) : Buffer.alloc(0),
			stretches: size === 0 ? [] : [{ start: 0, end: size }],
			content: contentOf(zip, entry),
		};
	}
}

/** What the directory states of each entry: known before anything is unpacked. */
export async function* listZip(fd: number): AsyncGenerator<{ path: Buffer; bytes: number }> {
	const next = createEntryQueue(await open(fd));
	for (let entry = await next(); entry; entry = await next()) {
		const path = nameOf(entry, isFromUnix(entry));
		if (!isMacs(path)) yield { path, bytes: entry.uncompressedSize };
	}
}

function open(fd: number): Promise<ZipFile> {
	return new Promise((resolve, reject) => {
		// Names stay bytes: what they may be is for one place to say, for all kinds of archives.
		fromFd(fd, { lazyEntries: true, autoClose: false, decodeStrings: false }, (error, zip) =>
			error ? reject(damaged(error)) : resolve(zip),
		);
	});
}

function createEntryQueue(zip: ZipFile): () => Promise<Entry | null> {
	let settle: { resolve: (entry: Entry | null) => void; reject: (error: unknown) => void } | undefined;
	zip.on("entry", (entry: Entry) => settle?.resolve(entry));
	zip.on("end", () => settle?.resolve(null));
	zip.on("error", (error: unknown) => settle?.reject(damaged(error)));
	return () =>
		new Promise((resolve, reject) => {
			settle = { resolve, reject };
			zip.readEntry();
		});
}

/** What the Finder packs beside what it was asked to. */
function isMacs(path: Buffer): boolean {
	return path.toString("latin1").startsWith("__MACOSX/");
}

function isFromUnix(entry: Entry): boolean {
	return entry.versionMadeBy >> 8 === 3;
}

/** UTF-8 if it can be that, else the DOS code page that zips without a flag mean. */
function nameOf(entry: Entry, isUnix: boolean): Buffer {
	const raw = entry.fileNameRaw;
	const isText = Buffer.from(raw.toString("utf8")).equals(raw);
	const name = isText
		? raw
		: Buffer.from(getFileNameLowLevel(entry.generalPurposeBitFlag, raw, entry.extraFields, true));
	return isUnix ? name : Buffer.from(name.toString("utf8").replaceAll("\\", "/"));
}

async function* contentOf(zip: ZipFile, entry: Entry): AsyncGenerator<Buffer> {
	const stream = await new Promise<Readable>((resolve, reject) => {
		zip.openReadStream(entry, (error, opened) => (error ? reject(damaged(error)) : resolve(opened)));
	});
	let sum = 0;
	try {
		for await (const chunk of stream as AsyncIterable<Buffer>) {
			sum = crc32(chunk, sum);
			yield chunk;
		}
	} catch (error) {
		throw error instanceof RepldockError ? error : damaged(error);
	}
	if (sum !== entry.crc32) throw damaged(new Error("a checksum is wrong"));
}

async function wholeContent(zip: ZipFile, entry: Entry): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of contentOf(zip, entry)) chunks.push(chunk);
	return Buffer.concat(chunks);
}

function damaged(cause: unknown): RepldockError {
	return new RepldockError("invalid_archive", "This zip is damaged or cut off. Download or pack it anew.", { cause });
}
