import { randomUUID } from "node:crypto";
import {
	documentMaxBytes,
	type ErrorCode,
	type FileEntry,
	type Problem,
	RepldockError,
	toProblem,
} from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { ProjectFiles } from "../../host-files.ts";
import { type Base, findBase, isConsistent, makeBase, tooLarge } from "./base.ts";
import type { JournalContent } from "./journal.ts";
import { historyMaxBytes } from "./limits.ts";
import { decodeText, hashBytes } from "./text-format.ts";
import { updateToText } from "./yjs-update.ts";

/** What an opened document begins with. */
export interface Opening {
	base: Base;
	/** Updates that are in no file yet. */
	unsaved: Uint8Array[];
	epoch: string;
}

/**
 * Reads the file that a document is opened on.
 * @param mayBeGone whether a file that is not there is answered with null.
 * @throws RepldockError `file_not_found`, `not_text`, `file_too_large`.
 */
export async function readForOpening(
	files: ProjectFiles,
	path: string,
	mayBeGone: boolean,
): Promise<{ entry: FileEntry; bytes: Uint8Array } | null> {
	try {
		const entry = await files.stat(path);
		if (entry.kind === "link") {
			throw new RepldockError("not_text", "This is a link. Open the file that it leads to.");
		}
		if (entry.kind !== "file") throw new RepldockError("not_text", "This is not a plain file.");
		if (entry.size > documentMaxBytes) throw tooLarge();
		return { entry, bytes: await files.readFile(path, { maxBytes: documentMaxBytes }) };
	} catch (error) {
		if (mayBeGone && isCode(error, "file_not_found")) return null;
		throw error;
	}
}

/**
 * Goes on with the journal's history if it can be trusted and is worth it; else begins a new one from the file.
 * @param bytes the file's content, null when it is gone.
 */
export function takeUp(
	journal: JournalContent | null,
	bytes: Uint8Array | null,
	diskClientId: number,
	log: Logger,
): Opening {
	const decoded = bytes ? decodeText(bytes) : null;
	if (journal) {
		const mark = bytes ? findBase(journal, bytes)?.mark : journal.marks.findLast((candidate) => candidate.written);
		if (mark) {
			const base = makeBase(journal.updates.slice(0, mark.updates), mark.hash, mark.format);
			const unsaved = journal.updates.slice(mark.updates);
			const worth = unsaved.length > 0 || journal.size <= historyMaxBytes;
			// A file that is gone, with nothing unsaved, is simply gone.
			const wanted = bytes !== null || unsaved.length > 0;
			if (worth && wanted && isConsistent(base)) return { base, unsaved, epoch: journal.header.epoch };
		}
		log.warn("the journal of a document was left aside");
	}
	if (!bytes || !decoded) throw new RepldockError("file_not_found", "This file is not there any more.");
	const update = updateToText([], decoded.text, diskClientId);
	return { base: makeBase([update], hashBytes(bytes), decoded.format), unsaved: [], epoch: randomUUID() };
}

export function isCode(error: unknown, code: ErrorCode): boolean {
	return error instanceof RepldockError && error.code === code;
}

/** What the person is told when a document cannot be saved. */
export function saveProblem(error: unknown): Problem {
	if (!isCode(error, "file_not_found")) return toProblem(error);
	return toProblem(
		new RepldockError("file_not_found", "The folder of this file is gone. Make it again and the file is saved."),
	);
}
