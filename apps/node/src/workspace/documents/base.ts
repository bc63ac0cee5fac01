import { documentTextName, RepldockError } from "@repldock/protocol";
import * as Y from "yjs";
import { diffText } from "./diff-text.ts";
import type { JournalContent, JournalMark } from "./journal.ts";
import { decodeText, encodeText, hashBytes, type TextFormat } from "./text-format.ts";
import { buildDoc } from "./yjs-update.ts";

/** What is known to be in the file: the updates that make it, and its bytes by their hash. */
export interface Base {
	updates: Uint8Array[];
	hash: string;
	format: TextFormat;
	/** Kept for files that mix line endings, which follow from the edits since. */
	text: string | null;
	stateVector: Uint8Array;
}

/**
 * Finds which of a journal's updates the file holds. The newest mark with the file's hash says so; without one a program
 * changed the file since, and the mark nearest to it is where it went on from: the last one written for certain, or a
 * later one that the agent died in.
 */
export function findBase(journal: JournalContent, bytes: Uint8Array): { mark: JournalMark; matches: boolean } | null {
	const hash = hashBytes(bytes);
	const same = journal.marks.findLast((mark) => mark.hash === hash);
	if (same) return { mark: same, matches: true };
	const lastWritten = journal.marks.findLastIndex((mark) => mark.written);
	const candidates = journal.marks.slice(Math.max(0, lastWritten)).slice(-4);
	const { text } = decodeText(bytes);
	let nearest: { mark: JournalMark; distance: number } | null = null;
	for (const mark of candidates) {
		const distance = textDistance(textOf(journal.updates.slice(0, mark.updates)), text);
		if (!nearest || distance <= nearest.distance) nearest = { mark, distance };
	}
	return nearest ? { mark: nearest.mark, matches: false } : null;
}

/** Whether updates of the journal are in no file yet. */
export function hasUnsavedEdits(journal: JournalContent): boolean {
	const last = journal.marks.at(-1);
	return !last?.written || last.updates < journal.updates.length;
}

/**
 * Whether the document was open when its agent died: the journal of one that is closed tells of its file's present content
 * alone. Such a journal has to be taken up before somebody brings back what the file was once: all that came after that
 * would seem to be in no file yet.
 */
export function wasOpen(journal: JournalContent): boolean {
	return journal.marks.length > 1;
}

export function textOf(updates: readonly Uint8Array[]): string {
	const doc = buildDoc(updates);
	const text = doc.getText(documentTextName).toString();
	doc.destroy();
	return text;
}

export function makeBase(updates: Uint8Array[], hash: string, format: TextFormat, stateVector?: Uint8Array): Base {
	return {
		updates,
		hash,
		format,
		text: format.mixed === null ? null : textOf(updates),
		stateVector: stateVector ?? Y.encodeStateVectorFromUpdate(Y.mergeUpdates(updates)),
	};
}

/** A history cannot be trusted when it does not make the file that its mark speaks of. */
export function isConsistent(base: Base): boolean {
	return hashBytes(encodeText(textOf(base.updates), base.format)) === base.hash;
}

function textDistance(from: string, to: string): number {
	return diffText(from, to).reduce((sum, edit) => sum + edit.remove + edit.insert.length, 0);
}

/** @throws RepldockError `file_too_large` */
export function tooLarge(): RepldockError {
	return new RepldockError("file_too_large", "This file is too large for the editor. Download it to look at it.");
}
