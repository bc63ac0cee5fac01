import { randomBytes } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { RepldockError } from "@repldock/protocol";
import type { Staging } from "../host-files.ts";
import type { ByteReader } from "./byte-reader.ts";
import { readEntryPath, refused } from "./entry-path.ts";
import { findLeftOut } from "./replit-export.ts";
import { type ArchiveEntry, readTar } from "./tar-read.ts";
import { listZip, readZip } from "./zip-read.ts";

/** Files, folders and links of one archive. */
const mostEntries = 500_000;

/** Work without a pause in which other projects would wait. */
const mostMsAtOnce = 20;

/** Names that the agent itself uses for a moment; see `host/files/resolve.ts`. */
const ownNamePrefix = ".repldock-";

const signatureBytes = 512;

type LeftOut = (path: readonly Buffer[]) => boolean;

export type ArchiveKind = "zip" | "tar" | "tar.gz" | "tar.zst" | "bundle";

/** What the first bytes say it is. @throws RepldockError `invalid_archive` */
export async function readKind(bytes: ByteReader): Promise<ArchiveKind> {
	const head = await bytes.peek(signatureBytes);
	const starts = (signature: string) => head.toString("latin1", 0, signature.length) === signature;
	if (starts("PK\x03\x04") || starts("PK\x05\x06")) return "zip";
	if (starts("\x1f\x8b")) return "tar.gz";
	if (starts("\x28\xb5\x2f\xfd")) return "tar.zst";
	if (starts("# v2 git bundle\n") || starts("# v3 git bundle\n")) return "bundle";
	const isEmptyTar = head.length === signatureBytes && head.every((byte) => byte === 0);
	if (head.toString("latin1", 257, 262) === "ustar" || isEmptyTar) return "tar";
	if (starts("BZh") || starts("\xfd7zXZ") || starts("7z\xbc\xaf") || starts("Rar!")) {
		throw new RepldockError(
			"invalid_archive",
			"Archives of this kind are not taken. Pack it as zip, tar.gz or tar.zst.",
		);
	}
	throw new RepldockError(
		"invalid_archive",
		"This is no archive that can be imported. Take a zip, tar, tar.gz, tar.zst, or a git bundle.",
	);
}

export interface UnpackOptions {
	staging: Staging;
	/** Bytes of all files together, holes not counted. */
	mostBytes: number;
	/** Where a zip waits until it is whole, since its directory is at its end. */
	spoolDirectory: string;
	/** It becomes the whole project: what a zip of Replit's has beside the project is left out. */
	asProject: boolean;
}

/** @returns how many entries there were. @throws RepldockError `invalid_archive`, `file_too_large`, what staging throws. */
export async function unpack(
	kind: Exclude<ArchiveKind, "bundle">,
	bytes: ByteReader,
	options: UnpackOptions,
): Promise<number> {
	if (kind === "zip") return unpackZip(bytes, options);
	if (kind === "tar") return addAll(readTar(bytes.rest()), options);
	const decompress = kind === "tar.gz" ? createGunzip() : createZstdDecompress();
	return addAll(readTar(decompressed(bytes.rest(), decompress)), options);
}

async function unpackZip(bytes: ByteReader, options: UnpackOptions): Promise<number> {
	const file = await openNameless(options.spoolDirectory);
	try {
		for await (const chunk of bytes.rest()) await file.writeFile(chunk).catch(tellFullDisk);
		const leftOut = options.asProject ? await findLeftOut(pathsOf(file.fd)) : () => false;
		await expectFits(file.fd, leftOut, options.mostBytes);
		return await addAll(readZip(file.fd), options, leftOut);
	} finally {
		await file.close();
	}
}

async function* pathsOf(fd: number): AsyncGenerator<Buffer> {
	for await (const { path } of listZip(fd)) yield path;
}

/** By its directory alone. @throws RepldockError `file_too_large` */
async function expectFits(fd: number, leftOut: LeftOut, mostBytes: number): Promise<void> {
	let [count, total] = [0, 0];
	for await (const { path, bytes } of listZip(fd)) {
		if (leftOut(readEntryPath(path))) continue;
		count += 1;
		total += bytes;
	}
	if (total > mostBytes) throw tooLarge(mostBytes);
	if (count > mostEntries) throw tooMany();
}

async function addAll(
	entries: AsyncGenerator<ArchiveEntry>,
	options: UnpackOptions,
	leftOut: LeftOut = () => false,
): Promise<number> {
	const { staging, mostBytes } = options;
	let count = 0;
	let bytesLeft = mostBytes;
	let startedAtMs = performance.now();
	for await (const entry of entries) {
		const path = readEntryPath(entry.path);
		if (path.length === 0 || path.some((name) => name.toString("latin1").startsWith(ownNamePrefix))) continue;
		if (leftOut(path)) continue;
		count += 1;
		if (count > mostEntries) throw tooMany();
		await addOne(staging, path, {
			...entry,
			content: counted(entry.content, (bytes) => {
				bytesLeft -= bytes;
				if (bytesLeft < 0) throw tooLarge(mostBytes);
			}),
		});
		if (performance.now() - startedAtMs < mostMsAtOnce) continue;
		await nextTurn();
		startedAtMs = performance.now();
	}
	return count;
}

async function addOne(staging: Staging, path: Buffer[], entry: ArchiveEntry): Promise<void> {
	switch (entry.kind) {
		case "directory":
			return staging.addDirectory(path, entry.mode & 0o777);
		case "file":
			return staging.addFile(path, entry, entry.content);
		case "link":
			if (entry.target.length === 0 || entry.target.includes(0))
				throw refused(entry.path, "is a broken link. Remove it");
			return staging.addLink(path, entry.target);
		case "name":
			try {
				return staging.addName(path, readEntryPath(entry.target));
			} catch (error) {
				const isMissing = error instanceof RepldockError && ["file_not_found", "invalid_path"].includes(error.code);
				if (!isMissing) throw error;
				throw refused(entry.path, "is a further name of a file that is not in it. Remove it");
			}
		case "other":
			throw refused(entry.path, "is neither a file nor a folder nor a link. Leave it out");
	}
}

async function* counted(content: AsyncIterable<Buffer>, count: (bytes: number) => void): AsyncGenerator<Buffer> {
	for await (const chunk of content) {
		count(chunk.length);
		yield chunk;
	}
}

async function* decompressed(source: AsyncGenerator<Buffer>, through: Transform): AsyncGenerator<Buffer> {
	const fed = pipeline(Readable.from(source, { objectMode: false }), through);
	// Told by the stream itself to whoever reads it.
	fed.catch(() => undefined);
	try {
		yield* through as AsyncIterable<Buffer>;
	} catch (error) {
		const { code = "" } = error as NodeJS.ErrnoException;
		if (!/^(?:Z_|ZSTD_|ERR_)/.test(code)) throw error;
		throw new RepldockError("invalid_archive", "The archive is damaged or cut off. Download or pack it anew.", {
			cause: error,
		});
	}
}

function tellFullDisk(error: NodeJS.ErrnoException): never {
	if (error.code !== "ENOSPC") throw error;
	throw new RepldockError("disk_full", "The server's disk is full. Your operator has to make room.", { cause: error });
}

/** A file that is gone with the process, whatever happens. */
async function openNameless(directory: string): Promise<FileHandle> {
	const path = join(directory, randomBytes(16).toString("hex"));
	const file = await open(path, "wx+", 0o600);
	await unlink(path);
	return file;
}

function tooLarge(mostBytes: number): RepldockError {
	const shown = `${Math.floor(mostBytes / 1024 / 1024)} MiB`;
	return new RepldockError(
		"file_too_large",
		`Unpacked, this archive is larger than the project's disk (${shown}). Leave out what can be made again.`,
	);
}

function tooMany(): RepldockError {
	const shown = mostEntries.toLocaleString("en");
	return new RepldockError("file_too_large", `This archive holds more than ${shown} files. Pack fewer of them.`);
}
