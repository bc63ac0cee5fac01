import type { WorkspaceCommand, WorkspaceEvent } from "@repldock/protocol";
import { createStore, type Store } from "../store.ts";
import { createDocument, type OpenDocument } from "./document.ts";
import type { Drafts } from "./drafts.ts";
import { decodeDocumentFrame, encodeDocumentFrame, fromBase64 } from "./frames.ts";
import { joinStatuses, type SaveStatus } from "./save-status.ts";

/** All open documents of the page and their part of the events socket. */
export type Documents = {
	/** Opens a file, or returns the document that is open already. */
	open(path: string): Promise<OpenDocument>;
	/** Closes it at the node too. Edits that wait are kept as a draft. */
	close(path: string): void;
	status: Pick<Store<SaveStatus>, "get" | "subscribe">;
	/** Edits of all documents that no file is known to hold. */
	waiting(): number;
	connected(): void;
	disconnected(): void;
	event(event: WorkspaceEvent): void;
	frame(bytes: Uint8Array): void;
	destroy(): void;
};

type Options = {
	userName: string;
	drafts: Drafts;
	command(command: WorkspaceCommand): boolean;
	binary(frame: Uint8Array<ArrayBuffer>): boolean;
	/** The file of an open document was moved (`to`) or removed (null). */
	moved(from: string, to: string | null): void;
};

/** Drafts are written at most this often while edits wait. */
const draftEveryMs = 400;

export function createDocuments(options: Options): Documents {
	const open = new Map<string, OpenDocument>();
	const opening = new Map<string, Promise<OpenDocument>>();
	const status = createStore<SaveStatus>({ kind: "offline", edits: 0 });
	const draftTimers = new Map<OpenDocument, ReturnType<typeof setTimeout>>();
	const drafted = new Set<OpenDocument>();
	let connected = false;

	function changed(document: OpenDocument): void {
		const next = joinStatuses(
			[...open.values()].map((each) => each.status.get()),
			connected,
		);
		if (JSON.stringify(next) !== JSON.stringify(status.get())) status.set(next);
		if (document.waiting() === 0 ? drafted.has(document) : !draftTimers.has(document)) scheduleDraft(document);
	}
	function scheduleDraft(document: OpenDocument): void {
		if (draftTimers.has(document)) return;
		const timer = setTimeout(() => {
			draftTimers.delete(document);
			void keepDraft(document);
		}, draftEveryMs);
		draftTimers.set(document, timer);
	}
	async function keepDraft(document: OpenDocument): Promise<void> {
		const draft = document.draft();
		const path = document.path.get();
		try {
			if (draft) {
				drafted.add(document);
				await options.drafts.put(path, draft);
			} else if (drafted.delete(document)) {
				await options.drafts.remove(path);
			}
		} catch (error) {
			// The browser refuses to store; leaving the page with edits that wait asks first, so nothing is lost silently.
			console.warn("Edits that wait could not be kept in the browser:", error);
		}
	}
	const byNumber = (number: number) => [...open.values()].find((document) => document.number() === number);

	async function begin(path: string): Promise<OpenDocument> {
		const draft = await options.drafts.get(path).catch(() => null); // No storage: there is no draft either.
		const document: OpenDocument = createDocument({
			path,
			userName: options.userName,
			draft,
			send(number, type, payload) {
				options.binary(encodeDocumentFrame({ document: number, type, payload }));
			},
			changed: () => changed(document),
		});
		if (draft) drafted.add(document);
		open.set(path, document);
		if (connected) options.command({ type: "openDocument", path });
		return document;
	}

	return {
		open(path) {
			const known = open.get(path);
			if (known) return Promise.resolve(known);
			const begun = opening.get(path) ?? begin(path).finally(() => opening.delete(path));
			opening.set(path, begun);
			return begun;
		},
		close(path) {
			const document = open.get(path);
			if (!document) return;
			open.delete(path);
			clearTimeout(draftTimers.get(document));
			draftTimers.delete(document);
			void keepDraft(document);
			const number = document.number();
			if (number !== null) options.command({ type: "closeDocument", document: number });
			document.destroy();
			changed(document);
		},
		status,
		waiting: () => [...open.values()].reduce((sum, document) => sum + document.waiting(), 0),
		connected() {
			connected = true;
			for (const path of open.keys()) options.command({ type: "openDocument", path });
			status.set(
				joinStatuses(
					[...open.values()].map((each) => each.status.get()),
					true,
				),
			);
		},
		disconnected() {
			connected = false;
			for (const document of open.values()) document.disconnected();
			status.set(
				joinStatuses(
					[...open.values()].map((each) => each.status.get()),
					false,
				),
			);
		},
		event(event) {
			switch (event.type) {
				case "documentOpened":
					open.get(event.path)?.opened(event.document, event.epoch);
					break;
				case "documentRefused":
					open.get(event.path)?.refused(event.problem);
					break;
				case "documentSaved":
					byNumber(event.document)?.saved(fromBase64(event.stateVector));
					break;
				case "documentNotSaved":
					byNumber(event.document)?.notSaved(event.problem);
					break;
				case "documentMoved": {
					const document = byNumber(event.document);
					if (!document) break;
					const from = document.path.get();
					if (event.path !== null) {
						open.delete(from);
						document.path.set(event.path);
						open.set(event.path, document);
					}
					options.moved(from, event.path);
					break;
				}
			}
		},
		frame(bytes) {
			const frame = decodeDocumentFrame(bytes);
			byNumber(frame.document)?.received(frame.type, frame.payload);
		},
		destroy() {
			for (const timer of draftTimers.values()) clearTimeout(timer);
			for (const document of open.values()) document.destroy();
			open.clear();
		},
	};
}
