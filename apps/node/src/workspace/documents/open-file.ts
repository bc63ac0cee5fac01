import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { documentMaxBytes, documentTextName, type FileEntry, type Problem, RepldockError } from "@repldock/protocol";
import { createBackoff } from "@repldock/service";
import * as Y from "yjs";
import { makeBase } from "./base.ts";
import type { FileKeeper, FileKeeperOptions } from "./file-keeper.ts";
import { createJournal, type Journal, type JournalContent } from "./journal.ts";
import {
	historyWorthBytes,
	historyWorthFactor,
	journalGrowthBytes,
	journalGrowthFactor,
	replaceGraceMs,
	retryFirstMs,
	retryMostMs,
	saveLatestMs,
	saveQuietMs,
} from "./limits.ts";
import { isCode, readForOpening, saveProblem, takeUp } from "./opening.ts";
import { decodeText, encodeText, followEdits, hashBytes } from "./text-format.ts";
import { buildDoc, updateToText } from "./yjs-update.ts";

/** Origin of updates that came from the file. */
const fromDisk = Symbol("from disk");

/**
 * @param stored the document's journal, null for a new history. A file that is gone is written again from it.
 * @throws RepldockError `file_not_found`, `not_text`, `file_too_large`.
 */
export async function openFile(options: FileKeeperOptions, stored: JournalContent | null): Promise<FileKeeper> {
	const { files, log } = options;
	let path = options.path;
	/** Client id of everything that the disk brings in: not the document's own, which Yjs would change. */
	const diskClientId = randomInt(2 ** 32);
	let known: FileEntry | null = null;
	/** The file is not there; the next edit writes it again. */
	let removed = false;
	let unsaved: Uint8Array[] = [];
	let problem: Problem | null = null;
	let closed = false;
	let lookWaits = false;
	let timer: NodeJS.Timeout | undefined;
	let firstUnsavedAtMs: number | null = null;
	let tail: Promise<unknown> = Promise.resolve();
	let savedBytes = 0;
	let compactedBytes = 0;
	const backoff = createBackoff(retryFirstMs, retryMostMs);

	const read = await readForOpening(files, path, stored !== null);
	known = read?.entry ?? null;
	const bytes = read?.bytes ?? null;
	const opened = takeUp(stored, bytes, diskClientId, log);
	let base = opened.base;
	unsaved = opened.unsaved;
	savedBytes = bytes?.length ?? 0;
	const doc = buildDoc([...base.updates, ...unsaved]);
	const text = doc.getText(documentTextName);
	const journal: Journal = createJournal(options.directory, { version: 1, epoch: opened.epoch, path }, 0);
	if (bytes && hashBytes(bytes) !== base.hash) await mergeFromDisk(bytes);
	else rewriteJournal();
	await settleJournal();
	if (unsaved.length > 0) schedule();

	doc.on("update", (update: Uint8Array, origin: unknown) => {
		if (origin === fromDisk) return;
		journal.update(update);
		unsaved.push(update);
		schedule();
	});

	function run<T>(work: () => Promise<T>): Promise<T> {
		const result = tail.then(work);
		tail = result.catch(() => undefined);
		return result;
	}

	function schedule() {
		if (closed) return;
		if (problem) {
			timer ??= setTimeout(() => void run(save), backoff.nextMs());
			return;
		}
		const now = performance.now();
		firstUnsavedAtMs ??= now;
		clearTimeout(timer);
		timer = setTimeout(() => void run(save), Math.min(saveQuietMs, Math.max(0, firstUnsavedAtMs + saveLatestMs - now)));
	}

	function rewriteJournal() {
		const state = unsaved.length === 0 ? Y.encodeStateAsUpdate(doc) : Y.mergeUpdates(base.updates);
		base.updates = [state];
		const later = unsaved.length === 0 ? [] : [Y.mergeUpdates(unsaved)];
		journal.rewrite(state, { hash: base.hash, written: true, format: base.format }, later);
		compactedBytes = journal.size();
	}

	/** A journal that cannot be written costs safety, not work: the file itself is still written. */
	async function settleJournal() {
		try {
			await journal.flush();
		} catch (error) {
			log.error({ err: error }, "the journal of a document could not be written");
			rewriteJournal();
			await journal.flush().catch((again: unknown) => log.error({ err: again }, "nor written anew"));
		}
	}

	/** Takes the file's present bytes into the document, as changes of what was last known to be in it. */
	async function mergeFromDisk(bytes: Uint8Array) {
		const decoded = decodeText(bytes);
		const update = updateToText(base.updates, decoded.text, diskClientId);
		base = makeBase([...base.updates, update], hashBytes(bytes), decoded.format);
		savedBytes = bytes.length;
		const state = Y.mergeUpdates(base.updates);
		base.updates = [state];
		journal.rewrite(
			state,
			{ hash: base.hash, written: true, format: base.format },
			unsaved.length === 0 ? [] : [Y.mergeUpdates(unsaved)],
		);
		compactedBytes = journal.size();
		// Clients must not hear of it before it is in the journal: a restarted agent would make the same change again,
		// under other ids, and their text would double.
		await settleJournal();
		Y.applyUpdate(doc, update, fromDisk);
		if (unsaved.length === 0) options.onSaved(base.stateVector);
	}

	async function lookAtDisk(thorough: boolean): Promise<void> {
		let entry = await statOrNull();
		if (!entry) return fileGone();
		if (!thorough && entry.size === known?.size && entry.modifiedAtMs === known.modifiedAtMs) return;
		if (entry.kind !== "file") throw new RepldockError("not_text", "There is no plain file at this path any more.");
		let bytes = await files.readFile(path, { maxBytes: documentMaxBytes });
		if (bytes.length === 0 && savedBytes > 0) {
			await delay(replaceGraceMs);
			entry = await statOrNull();
			if (!entry) return fileGone();
			bytes = await files.readFile(path, { maxBytes: documentMaxBytes });
		}
		known = entry;
		if (hashBytes(bytes) !== base.hash) await mergeFromDisk(bytes);
		if (removed) {
			removed = false;
			options.onMoved(path);
		}
	}

	async function statOrNull(): Promise<FileEntry | null> {
		try {
			return await files.stat(path);
		} catch (error) {
			if (isCode(error, "file_not_found")) return null;
			throw error;
		}
	}

	async function fileGone() {
		known = null;
		if (removed || unsaved.length > 0) return;
		await delay(replaceGraceMs);
		if (await statOrNull()) return lookAtDisk(true);
		if (unsaved.length > 0) return;
		removed = true;
		options.onMoved(null);
	}

	async function save(): Promise<void> {
		clearTimeout(timer);
		timer = undefined;
		if (unsaved.length === 0) return;
		firstUnsavedAtMs = null;
		try {
			await lookAtDisk(false);
			await writeText();
			backoff.reset();
			problem = null;
			if (unsaved.length > 0) schedule();
		} catch (error) {
			failed(error);
		}
	}

	async function writeText() {
		const content = text.toString();
		const count = unsaved.length;
		const stateVector = Y.encodeStateVector(doc);
		const format = base.text === null ? base.format : followEdits(base.format, base.text, content);
		const bytes = encodeText(content, format);
		const hash = hashBytes(bytes);
		if (hash !== base.hash || known === null) {
			journal.mark({ hash, written: false, format });
			await settleJournal();
			known = await files.writeFile(path, bytes);
			savedBytes = bytes.length;
		}
		const included = unsaved.splice(0, count);
		base = {
			updates: [...base.updates, ...included],
			hash,
			format,
			text: base.text === null ? null : content,
			stateVector,
		};
		if (unsaved.length === 0) journal.mark({ hash, written: true, format });
		const grown = journal.size() > compactedBytes * journalGrowthFactor + journalGrowthBytes;
		if (grown || base.updates.length > 500) rewriteJournal();
		if (removed) {
			removed = false;
			options.onMoved(path);
		}
		options.onSaved(stateVector);
	}

	function failed(error: unknown) {
		problem = saveProblem(error);
		if (problem.code === "internal") log.error({ err: error }, "a document could not be saved");
		options.onNotSaved(problem);
		if (!closed) timer = setTimeout(() => void run(save), backoff.nextMs());
	}

	async function look(): Promise<void> {
		lookWaits = false;
		if (closed) return;
		try {
			await lookAtDisk(true);
			if (problem && unsaved.length === 0) {
				problem = null;
				options.onSaved(base.stateVector);
			}
		} catch (error) {
			failed(error);
		}
	}

	return {
		doc,
		epoch: opened.epoch,
		path: () => path,
		isSaved: () => unsaved.length === 0,
		problem: () => problem,
		savedStateVector: () => base.stateVector,
		savedBytes: () => savedBytes,
		measure: (content) => encodeText(content, { ...base.format, mixed: null }).length,
		apply: (update, origin) => Y.applyUpdate(doc, update, origin),
		look() {
			if (lookWaits) return;
			lookWaits = true;
			void run(look);
		},

		hold: (work) =>
			run(async () => {
				await save();
				// The work may bring back what the file was once. Should the agent die before it looks at that, the journal must not
				// take it for a file that later edits never came into.
				rewriteJournal();
				await settleJournal();
				return work();
			}),

		moved(newPath) {
			if (newPath === null) {
				known = null;
				removed = true;
			} else {
				path = newPath;
				journal.move(newPath);
			}
			options.onMoved(newPath);
		},

		retry() {
			if (!problem) return;
			backoff.reset();
			clearTimeout(timer);
			timer = setTimeout(() => void run(save), 0);
		},

		flush: () => run(save),

		async close() {
			await run(save);
			await run(async () => {
				closed = true;
				clearTimeout(timer);
				if (unsaved.length === 0) {
					const history = Y.encodeStateAsUpdate(doc).length;
					if (removed || history > savedBytes * historyWorthFactor + historyWorthBytes) journal.remove();
					else if (journal.size() > compactedBytes) rewriteJournal();
				}
				await settleJournal();
				doc.destroy();
			});
		},
	};
}
