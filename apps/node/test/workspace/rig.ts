import { randomUUID } from "node:crypto";
import { cpSync, existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { documentTextName, type WorkspaceEvent } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import * as Y from "yjs";
import { openProjectFiles } from "../../src/host/files/project-files.ts";
import type { ProjectFiles } from "../../src/host-files.ts";
import { createDirectoryWatcher } from "../../src/workspace/directory-watcher.ts";
import type { DocumentClient } from "../../src/workspace/documents/document-client.ts";
import { answerFrame, readFrame, requestFrame, updateFrame } from "../../src/workspace/documents/frames.ts";
import { createDocumentStore, type DocumentStore } from "../../src/workspace/documents/store.ts";

export const log = createLog("test", process.env.REPLDOCK_TEST_LOG ?? "silent");

/** The test's own user owns what is made, so that the tests need no particular rights. */
export const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

/** A project folder, a journal folder, and a store over them that can die and come back. */
export interface DocumentRig {
	root: string;
	/** Where the journals are. */
	journals(): string;
	files: ProjectFiles;
	store(): DocumentStore;
	/** A new agent over the same disk. The old one is abandoned as it stands: what it does from now on fails. */
	crash(): void;
	/** A new agent after an orderly end of the old one. */
	restart(): Promise<void>;
	/** Makes all writes into the project fail with this error until it is null. */
	failWrites(error: Error | null): void;
	release(): Promise<void>;
}

export async function startDocumentRig(): Promise<DocumentRig> {
	const base = await mkdtemp(join(tmpdir(), "repldock-documents-"));
	const root = join(base, "project");
	let directory = join(base, "journals", randomUUID());
	await mkdir(root);
	let failure: Error | null = null;
	let live = start();
	const dead: DocumentStore[] = [];

	function start() {
		const real = openProjectFiles(root, owner);
		const gate = { dead: false };
		const files: ProjectFiles = {
			...real,
			async writeFile(path, content) {
				if (gate.dead) throw new Error("this agent is dead");
				if (failure) throw failure;
				return real.writeFile(path, content);
			},
			async readFile(path, options) {
				if (gate.dead) throw new Error("this agent is dead");
				return real.readFile(path, options);
			},
		};
		const store = createDocumentStore({
			files,
			directory,
			log,
			onDirectories: () => watcher.watch(store.directories()),
			onSettled: () => undefined,
			onEntryChanged: () => undefined,
		});
		const watcher = createDirectoryWatcher({ files, log, onChange: store.directoryChanged });
		return { files, store, watcher, gate };
	}

	return {
		root,
		journals: () => directory,
		get files() {
			return live.files;
		},
		store: () => live.store,
		crash() {
			live.gate.dead = true;
			dead.push(live.store);
			live.watcher.close();
			// A dead agent writes nothing; the test's old one may, so it keeps its own folder.
			const copy = join(base, "journals", randomUUID());
			if (existsSync(directory)) cpSync(directory, copy, { recursive: true });
			directory = copy;
			live = start();
		},
		async restart() {
			live.watcher.close();
			await live.store.dispose();
			live = start();
		},
		failWrites(error) {
			failure = error;
		},
		async release() {
			live.watcher.close();
			await Promise.all([live.store, ...dead].map((store) => store.dispose()));
			await rm(base, { recursive: true, force: true });
		},
	};
}

/** What a page uses of a document store, which may be in another process. */
export type RemoteDocuments = Pick<DocumentStore, "open" | "receive" | "leave">;

/** A page with one document, as the editor in the browser keeps it: its Yjs state outlives connections. */
export interface Page {
	readonly doc: Y.Doc;
	text(): string;
	readonly events: WorkspaceEvent[];
	/** Opens the document at the store and exchanges what either side lacks. */
	connect(store: RemoteDocuments, path: string): Promise<void>;
	/** Sends a frame as it is. */
	send(frame: Uint8Array): void;
	disconnect(): void;
	/** The connection breaks, and the store does not hear of it: call before the agent dies. */
	lose(): void;
	insert(index: number, text: string): void;
	remove(index: number, length: number): void;
	/** Settles with the first event, from now on or already received, that passes. */
	until<T extends WorkspaceEvent["type"]>(
		type: T,
		passes?: (event: Extract<WorkspaceEvent, { type: T }>) => boolean,
	): Promise<Extract<WorkspaceEvent, { type: T }>>;
	/** Settles once everything of this page is in the file. */
	untilSaved(): Promise<void>;
	/** Settles once the text is this. */
	untilText(passes: (text: string) => boolean): Promise<void>;
	/** The document's number at the store it is connected to. */
	number(): number;
}

export function createPage(name = "Ada", canEdit = true): Page {
	let doc = new Y.Doc();
	let epoch: string | null = null;
	let store: RemoteDocuments | null = null;
	/** The present socket; what earlier ones still get is not heard. */
	let connection: DocumentClient | null = null;
	let number = 0;
	let edits = 0;
	const events: WorkspaceEvent[] = [];
	const waiting = new Set<() => void>();
	const wake = () => {
		for (const check of waiting) check();
	};

	function listen() {
		doc.on("update", (update: Uint8Array, origin: unknown) => {
			if (origin !== page && store && connection) store.receive(connection, updateFrame(number, update));
			wake();
		});
	}

	function wait<T>(find: () => T | undefined, what: string): Promise<T> {
		return new Promise((resolve, reject) => {
			const timer = setTimeout(() => {
				waiting.delete(check);
				reject(new Error(`waited too long for ${what}; events: ${JSON.stringify(events.slice(-8))}`));
			}, 40_000);
			const check = () => {
				const found = find();
				if (found === undefined) return;
				clearTimeout(timer);
				waiting.delete(check);
				resolve(found);
			};
			waiting.add(check);
			check();
		});
	}

	function receiveEvent(event: WorkspaceEvent) {
		events.push(event);
		if (event.type === "documentOpened") {
			number = event.document;
			if (epoch !== null && epoch !== event.epoch) {
				doc = new Y.Doc();
				listen();
			}
			epoch = event.epoch;
		}
		wake();
	}

	function receiveFrame(from: DocumentClient, bytes: Uint8Array) {
		const frame = readFrame(bytes);
		if (frame.kind === "update") Y.applyUpdate(doc, frame.update, page);
		if (frame.kind === "request") {
			const missing = answerFrame(number, Y.encodeStateAsUpdate(doc, frame.stateVector));
			queueMicrotask(() => {
				if (from === connection) store?.receive(from, missing);
			});
		}
		wake();
	}

	/** Counts as the editor does, so that a pure deletion moves the state vector too. */
	function edit(change: (content: Y.Text) => void) {
		doc.transact(() => {
			change(doc.getText(documentTextName));
			edits += 1;
			doc.getMap("edits").set(String(doc.clientID), edits);
		});
	}

	const page: Page = {
		events,
		get doc() {
			return doc;
		},
		text: () => doc.getText(documentTextName).toString(),
		number: () => number,

		async connect(target, path) {
			const own: DocumentClient = {
				name,
				canEdit,
				send: (event) => own === connection && receiveEvent(event),
				sendFrame: (frame) => own === connection && receiveFrame(own, frame),
			};
			store = target;
			connection = own;
			const before = events.length;
			await target.open(own, path);
			if (own === connection && events.slice(before).some((event) => event.type === "documentOpened")) {
				target.receive(own, requestFrame(number, Y.encodeStateVector(doc)));
			}
		},

		send(frame) {
			if (store && connection) store.receive(connection, frame);
		},

		lose() {
			store = null;
			connection = null;
		},

		disconnect() {
			if (connection) store?.leave(connection);
			store = null;
			connection = null;
		},

		insert: (index, text) => edit((content) => content.insert(index, text)),
		remove: (index, length) => edit((content) => content.delete(index, length)),

		until(type, passes = () => true) {
			type Wanted = Parameters<typeof passes>[0];
			const find = () => events.find((event): event is Wanted => event.type === type && passes(event as Wanted));
			return wait(find, `the event ${type}`);
		},

		async untilSaved() {
			await wait(() => {
				const last = events.findLast((event) => event.type === "documentSaved");
				const covers = last && coversAll(Buffer.from(last.stateVector, "base64"), Y.encodeStateVector(doc));
				return covers || undefined;
			}, "all of it to be saved");
		},

		async untilText(passes) {
			await wait(() => passes(page.text()) || undefined, `the text, which is ${JSON.stringify(page.text())}`);
		},
	};
	listen();
	return page;
}

function coversAll(saved: Uint8Array, wanted: Uint8Array): boolean {
	const have = Y.decodeStateVector(saved);
	return [...Y.decodeStateVector(wanted)].every(([client, clock]) => (have.get(client) ?? 0) >= clock);
}

/** How many changes of one client are in a state vector. */
export function clockIn(stateVector: Uint8Array, clientId: number): number {
	return Y.decodeStateVector(stateVector).get(clientId) ?? 0;
}

/** How many changes of its own a page has made. */
export function ownClock({ doc }: Page): number {
	return clockIn(Y.encodeStateVector(doc), doc.clientID);
}
