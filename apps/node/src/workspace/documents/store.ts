import { rm } from "node:fs/promises";
import { join } from "node:path";
import { RepldockError, toProblem } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { ProjectFiles } from "../../host-files.ts";
import { hasUnsavedEdits, wasOpen } from "./base.ts";
import { createDocument, type Document } from "./document.ts";
import type { DocumentClient } from "./document-client.ts";
import { readFrame } from "./frames.ts";
import { type JournalContent, journalFile, listJournals, readJournal } from "./journal.ts";
import { createJournalShelf } from "./journal-shelf.ts";
import { documentsPerClient, documentsPerWorkspace, textBytesPerWorkspace } from "./limits.ts";
import { openFile } from "./open-file.ts";

/** All open documents of one project. */
export interface DocumentStore {
	/** Opens the document for the client, or tells it why not (`documentRefused`). */
	open(client: DocumentClient, path: string): Promise<void>;
	close(client: DocumentClient, document: number): void;
	/** A binary frame from the client's socket. @throws MalformedFrameError when the socket is to be closed. */
	receive(client: DocumentClient, frame: Uint8Array): void;
	/** The client's socket is gone. */
	leave(client: DocumentClient): void;
	/** Saves the edits that an agent which died left in journals, and forgets journals that are too many. */
	recover(): Promise<void>;
	/** Directories to be watched: those of the open documents. */
	directories(): Set<string>;
	/** Entries of the directory changed; null names all of them. */
	directoryChanged(directory: string, names: ReadonlySet<string> | null): void;
	/** Whether the name in the directory is a document that is open and tells its changes by itself. */
	isOpen(path: string): boolean;
	/** Moves files; their open documents follow. */
	withMove<T>(from: string, to: string, work: () => Promise<T>): Promise<T>;
	/** Removes files; their open documents are told. */
	withRemove<T>(path: string, work: () => Promise<T>): Promise<T>;
	/** Replaces a file or folder (`""`: all); its open documents take in what is there then, as a change made on disk. */
	withReplaced<T>(path: string, work: () => Promise<T>): Promise<T>;
	/** Writes all edits that have arrived into files. @returns whether all could be. */
	saveAll(): Promise<boolean>;
	/** There may be space again. */
	retry(): void;
	/** Whether a document is open, or closed but not saved yet. */
	isBusy(): boolean;
	/** Saves what can be saved and lets go of all. */
	dispose(): Promise<void>;
}

export interface DocumentStoreOptions {
	files: ProjectFiles;
	/** Directory of this project's journals. */
	directory: string;
	log: Logger;
	/** The set of `directories` changed. */
	onDirectories(): void;
	/** A document was saved, or closed. */
	onSettled(): void;
	/** A file was removed or came back: its directory's entries changed. */
	onEntryChanged(path: string): void;
}

/** Removes all journals of a project that is gone for good. */
export async function removeDocuments(documentsDirectory: string, projectId: string): Promise<void> {
	await rm(join(documentsDirectory, projectId), { recursive: true, force: true });
}

export function createDocumentStore(options: DocumentStoreOptions): DocumentStore {
	const { files, log, directory } = options;
	const byNumber = new Map<number, Document>();
	/** Open documents and those about to be, by path. */
	const byPath = new Map<string, Promise<Document>>();
	/** Documents that are saved and closed right now; a new opening waits for the end of it. */
	const closing = new Map<string, Promise<void>>();
	/** Clients whose socket closed, perhaps while a document of theirs was being opened. */
	const gone = new WeakSet<DocumentClient>();
	/** Journals with edits that could not be brought into their files. */
	const unrecovered = new Set<string>();
	const shelf = createJournalShelf({
		directory,
		isInUse(file) {
			const paths = [...byPath.keys(), ...closing.keys()];
			return unrecovered.has(file) || paths.some((path) => journalFile(directory, path) === file);
		},
		log,
	});
	let nextNumber = 1;
	let disposed = false;

	async function openDocument(path: string, stored?: JournalContent): Promise<Document> {
		await closing.get(path);
		if (byPath.size > documentsPerWorkspace || totalBytes() > textBytesPerWorkspace) {
			throw new RepldockError("too_many_requests", "Too many files are open in this project. Close some first.");
		}
		const journal = stored ?? (await readJournalOrNull(journalFile(directory, path)));
		let document: Document | undefined;
		const keeper = await openFile(
			{
				files,
				directory,
				path,
				log,
				onSaved(stateVector) {
					document?.saved(stateVector);
					if (document?.clientCount() === 0) letGo(document);
					options.onSettled();
				},
				onNotSaved: (problem) => document?.notSaved(problem),
				onMoved(newPath) {
					document?.moved(newPath);
					options.onEntryChanged(newPath ?? keeper.path());
				},
			},
			journal,
		);
		document = createDocument(nextNumber, keeper);
		nextNumber += 1;
		byNumber.set(document.number, document);
		options.onDirectories();
		return document;
	}

	/** A journal that makes no sense costs its history, not the file. */
	async function readJournalOrNull(file: string): Promise<JournalContent | null> {
		try {
			return await readJournal(file);
		} catch (error) {
			log.error({ err: error }, "the journal of a document could not be read");
			return null;
		}
	}

	function totalBytes(): number {
		let sum = 0;
		for (const document of byNumber.values()) sum += document.keeper.savedBytes();
		return sum;
	}

	function acquire(path: string, stored?: JournalContent): Promise<Document> {
		const present = byPath.get(path);
		if (present) return present;
		const opening = openDocument(path, stored);
		byPath.set(path, opening);
		opening.catch(() => {
			if (byPath.get(path) === opening) byPath.delete(path);
		});
		return opening;
	}

	/** Closes a document that nobody has open, once it is saved. */
	function letGo(document: Document) {
		const { keeper } = document;
		if (document.clientCount() > 0 || !keeper.isSaved() || !byNumber.has(document.number)) return;
		const path = keeper.path();
		byNumber.delete(document.number);
		byPath.delete(path);
		const end = document
			.close()
			.catch((error: unknown) => log.error({ err: error }, "a document could not be closed"))
			.then(() => {
				if (closing.get(path) === end) closing.delete(path);
				options.onSettled();
				return shelf.added(journalFile(directory, path));
			})
			.catch((error: unknown) => log.error({ err: error }, "the journal of a closed document could not be looked at"));
		closing.set(path, end);
		options.onDirectories();
	}

	function leaveDocument(client: DocumentClient, document: Document) {
		document.leave(client);
		if (document.clientCount() > 0) return;
		if (document.keeper.isSaved()) letGo(document);
		else void document.keeper.flush().then(() => letGo(document));
	}

	function under(path: string): Document[] {
		return [...byNumber.values()].filter(({ keeper }) => isUnder(keeper.path(), path));
	}

	/** Runs the work while none of the documents is saved or read. */
	function withHeld<T>(documents: readonly Document[], work: () => Promise<T>): Promise<T> {
		const [first, ...rest] = documents;
		return first ? first.keeper.hold(() => withHeld(rest, work)) : work();
	}

	function isUnder(path: string, parent: string): boolean {
		return parent === "" || path === parent || path.startsWith(`${parent}/`);
	}

	return {
		async open(client, path) {
			try {
				const open = [...byNumber.values()].filter((document) => document.has(client)).length;
				if (open >= documentsPerClient) {
					throw new RepldockError("too_many_requests", "Too many files are open. Close some tabs first.");
				}
				let document = await acquire(path);
				// It may have been closed, by its last client, since.
				while (!disposed && !byNumber.has(document.number)) document = await acquire(path);
				if (disposed) throw new RepldockError("not_placed_here", "The project was just closed. Reload the page.");
				if (gone.has(client)) letGo(document);
				else document.join(client);
			} catch (error) {
				if (!(error instanceof RepldockError)) log.error({ err: error }, "a document could not be opened");
				client.send({ type: "documentRefused", path, problem: toProblem(error) });
			}
		},

		close(client, number) {
			const document = byNumber.get(number);
			if (document?.has(client)) leaveDocument(client, document);
		},

		receive(client, bytes) {
			const frame = readFrame(bytes);
			const document = byNumber.get(frame.document);
			// It was closed while the frame was on its way.
			if (!document?.has(client)) return;
			try {
				document.receive(client, frame);
			} catch (error) {
				if (!(error instanceof RepldockError)) throw error;
				leaveDocument(client, document);
			}
		},

		leave(client) {
			gone.add(client);
			for (const document of byNumber.values()) if (document.has(client)) leaveDocument(client, document);
		},

		async recover() {
			for (const file of await listJournals(directory)) {
				const journal = await readJournalOrNull(file);
				const isUnsaved = journal !== null && hasUnsavedEdits(journal);
				if (!journal || !(isUnsaved || wasOpen(journal))) continue;
				try {
					const document = await acquire(journal.header.path, journal);
					await document.keeper.flush();
					letGo(document);
				} catch (error) {
					if (!isUnsaved) continue;
					unrecovered.add(file);
					log.error({ err: error }, "unsaved edits of a document could not be recovered");
				}
			}
			await shelf.trim();
		},

		directories: () => new Set([...byNumber.values()].map(({ keeper }) => parentOf(keeper.path()))),

		directoryChanged(changed, names) {
			for (const { keeper } of byNumber.values()) {
				const path = keeper.path();
				if (parentOf(path) === changed && (names === null || names.has(nameOf(path)))) keeper.look();
			}
		},

		isOpen: (path) => byPath.has(path),

		withMove(from, to, work) {
			const documents = under(from);
			return withHeld(documents, async () => {
				const result = await work();
				for (const { keeper } of documents) {
					const old = keeper.path();
					const path = to + old.slice(from.length);
					const entry = byPath.get(old);
					byPath.delete(old);
					if (entry) byPath.set(path, entry);
					keeper.moved(path);
				}
				if (documents.length > 0) options.onDirectories();
				return result;
			});
		},

		withRemove(path, work) {
			const documents = under(path);
			return withHeld(documents, async () => {
				const result = await work();
				for (const { keeper } of documents) keeper.moved(null);
				return result;
			});
		},

		async withReplaced(path, work) {
			const documents = under(path);
			const result = await withHeld(documents, work);
			for (const { keeper } of documents) keeper.look();
			return result;
		},

		async saveAll() {
			const documents = [...byNumber.values()];
			await Promise.all(documents.map(({ keeper }) => (keeper.isSaved() ? undefined : keeper.flush())));
			await Promise.all(closing.values());
			// An edit that was there at the beginning and still waits has a problem; later ones are not asked for.
			return documents.every(({ keeper }) => keeper.problem() === null);
		},

		retry() {
			for (const { keeper } of byNumber.values()) keeper.retry();
		},

		isBusy: () => byPath.size > 0 || closing.size > 0,

		async dispose() {
			disposed = true;
			// Those that are being opened right now are closed as well.
			await Promise.allSettled(byPath.values());
			const documents = [...byNumber.values()];
			byNumber.clear();
			byPath.clear();
			await Promise.all([...documents.map((document) => document.close()), ...closing.values()]);
		},
	};
}

function parentOf(path: string): string {
	return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}

function nameOf(path: string): string {
	return path.slice(path.lastIndexOf("/") + 1);
}
