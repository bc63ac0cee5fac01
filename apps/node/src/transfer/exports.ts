import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createZstdCompress } from "node:zlib";
import { type ExportReady, type ExportRequest, RepldockError } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { z } from "zod";
import type { FrozenFiles } from "../host-files.ts";
import type { Reader } from "../versions/shelf.ts";
import { isDependencyFolder } from "./dependencies.ts";
import { writeTar } from "./tar-write.ts";
import { writeZip, zipNameMaxBytes } from "./zip-write.ts";

/** Exports under way or waiting to be fetched; each holds a snapshot. */
const mostPerProject = 3;
const mostPerNode = 24;

/** An archive that nobody fetches by then is given up. */
const fetchWithinMs = 60_000;

/** A project's disk holds more than its quota only by being compressed; what is far above that are copies of one file. */
const mostTimesQuota = 32;

export interface ExportsOptions {
	/** The project's files as they are now, or those of a version. @throws RepldockError as `Versions.freeze` does. */
	freeze(projectId: string, version: string | undefined, reader: Reader): Promise<FrozenFiles>;
	/** Name of the archive without its ending, and the project's quota. */
	describe(projectId: string): { name: string; diskBytes: number };
	log: Logger;
}

type WholeRequest = z.output<typeof ExportRequest>;

/** An archive on its way out. */
export interface Archive {
	name: string;
	contentType: string;
	/** Made while it is read; destroying it ends the export. */
	content: Readable;
}

/** Archives of projects, whether their containers run or not. Nothing is written to a disk. */
export interface Exports {
	/**
	 * Freezes the files and looks through them.
	 * @param reader who exports: versions at hand are counted by person.
	 * @throws RepldockError `too_many_requests`, `file_too_large`, `invalid_path` (what no archive could hold).
	 */
	prepare(projectId: string, request: WholeRequest, reader: Reader): Promise<ExportReady>;
	/** Begins the archive of that key. @throws RepldockError `not_found` the second time, and when it is too late. */
	fetch(key: string): Archive;
	/** Ends all exports and lets go of their snapshots. */
	close(): Promise<void>;
}

interface Prepared {
	projectId: string;
	request: WholeRequest;
	name: string;
	frozen: FrozenFiles;
	timer?: NodeJS.Timeout;
	content?: Readable;
}

export function createExports({ freeze, describe, log }: ExportsOptions): Exports {
	const prepared = new Map<string, Prepared>();
	/** Projects of exports under way, those that are being prepared among them. */
	const held: string[] = [];
	const releases = new Set<Promise<void>>();

	function hold(projectId: string) {
		if (held.length >= mostPerNode || held.filter((id) => id === projectId).length >= mostPerProject) {
			throw new RepldockError("too_many_requests", "Too many exports are under way. Try again when one is done.");
		}
		held.push(projectId);
	}

	async function letGo(projectId: string, frozen: FrozenFiles | undefined): Promise<void> {
		const released = frozen?.release() ?? Promise.resolve();
		const done = released
			.catch((error: unknown) => log.error({ err: error, projectId }, "an export's snapshot was kept"))
			.then(() => {
				held.splice(held.indexOf(projectId), 1);
				releases.delete(done);
			});
		releases.add(done);
		await done;
	}

	return {
		async prepare(projectId, request, reader) {
			hold(projectId);
			let frozen: FrozenFiles | undefined;
			try {
				const { name, diskBytes } = describe(projectId);
				frozen = await freeze(projectId, request.version, reader);
				const { files, bytes } = await survey(frozen, request, diskBytes * mostTimesQuota);
				const key = randomBytes(24).toString("base64url");
				const archive: Prepared = {
					projectId,
					request,
					name: `${name}${ofVersion(request.version)}.${request.format}`,
					frozen,
				};
				archive.timer = setTimeout(() => {
					prepared.delete(key);
					void letGo(projectId, archive.frozen);
				}, fetchWithinMs);
				archive.timer.unref();
				prepared.set(key, archive);
				return { path: `/exports/${key}`, name: archive.name, files, bytes };
			} catch (error) {
				await letGo(projectId, frozen);
				throw error;
			}
		},

		fetch(key) {
			const archive = prepared.get(key);
			if (!archive || archive.content) {
				throw new RepldockError("not_found", "This download is over. Go back to the project and export it again.");
			}
			clearTimeout(archive.timer);
			const { projectId, request, frozen, name } = archive;
			archive.content = request.format === "zip" ? zip(frozen, request) : tar(frozen, request);
			const startedAtMs = performance.now();
			archive.content.once("close", () => {
				prepared.delete(key);
				log.info({ projectId, tookMs: performance.now() - startedAtMs }, "project exported");
				void letGo(projectId, frozen);
			});
			const contentType = request.format === "zip" ? "application/zip" : "application/zstd";
			return { name, contentType, content: archive.content };
		},

		async close() {
			for (const { timer, content, projectId, frozen } of prepared.values()) {
				clearTimeout(timer);
				if (content) content.destroy();
				else void letGo(projectId, frozen);
			}
			prepared.clear();
			await Promise.all(releases);
		},
	};
}

/** The time of a version, for the archive's name; the second number of its id is that in milliseconds. */
function ofVersion(version: string | undefined): string {
	const takenAt = new Date(Number(version?.split(".")[1]));
	return Number.isNaN(takenAt.getTime()) ? "" : `-${takenAt.toISOString().slice(0, 16).replace(/[T:]/g, "-")}`;
}

const skips = (request: WholeRequest) => (request.dependencies ? () => false : isDependencyFolder);

function zip(frozen: FrozenFiles, request: WholeRequest): Readable {
	return Readable.from(writeZip(frozen.walk(skips(request))), { objectMode: false });
}

function tar(frozen: FrozenFiles, request: WholeRequest): Readable {
	const compressed = createZstdCompress();
	const source = Readable.from(writeTar(frozen.walk(skips(request))), { objectMode: false });
	// An error on either side ends the other; whoever reads is told by the stream itself.
	pipeline(source, compressed).catch(() => undefined);
	return compressed;
}

/** Counts what an archive will hold, so that one which could never be packed is refused before its first byte. */
async function survey(frozen: FrozenFiles, request: WholeRequest, mostBytes: number) {
	const isZip = request.format === "zip";
	const shared = new Set<string>();
	let files = 0;
	let bytes = 0;
	/** What has to be packed: names count, since deep trees repeat them. */
	let weight = 0;
	for await (const entry of frozen.walk(skips(request))) {
		weight += entry.path.length;
		if (entry.kind === "file") {
			files += 1;
			bytes += entry.size;
			const again = !isZip && entry.sharedId !== null && shared.has(entry.sharedId);
			if (entry.sharedId !== null) shared.add(entry.sharedId);
			if (isZip) weight += entry.size;
			else if (!again) weight += entry.data().reduce((sum, { start, end }) => sum + end - start, 0);
		}
		if (isZip && entry.path.length >= zipNameMaxBytes) {
			throw new RepldockError(
				"invalid_path",
				"A zip cannot hold folders that are nested this deep. Export as tar.zst.",
			);
		}
		if (weight > mostBytes) throw tooMuch(isZip, entry.path);
	}
	return { files, bytes };
}

function tooMuch(isZip: boolean, path: Buffer): RepldockError {
	const shown = JSON.stringify(path.subarray(-80).toString("utf8"));
	const advice = isZip ? "Export as tar.zst, which needs no space for empty stretches and copies, or delete" : "Delete";
	return new RepldockError(
		"file_too_large",
		`Unpacked, these files are many times larger than the project's disk; ${shown} is one of them. ${advice} what is too large.`,
	);
}
