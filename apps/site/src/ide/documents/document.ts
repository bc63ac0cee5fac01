import type { Problem } from "@repldock/protocol";
import { documentMessageAwareness, documentMessageSync } from "@repldock/protocol/constants";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { encodeAwarenessUpdate } from "y-protocols/awareness";
import * as syncProtocol from "y-protocols/sync";
import { createStore, type Store } from "../store.ts";
import type { Draft } from "./draft.ts";
import { applyHarmlessAwareness, createHistory, type DocumentHistory, fromNode, textOfUpdate } from "./history.ts";
import { differingSpan, mergeTexts } from "./merge.ts";
import { type SaveStatus, saveStatus } from "./save-status.ts";

export type DocumentView =
	| { kind: "opening" }
	/** Another history comes when the node lost the one before: the editor binds anew. */
	| { kind: "ready"; history: DocumentHistory }
	| { kind: "refused"; problem: Problem };

/** An open file: its Yjs state, its link to the node's copy, and whether its edits are in the file. */
export type OpenDocument = {
	path: Store<string>;
	view: Store<DocumentView>;
	status: Store<SaveStatus>;
	/** Edits that the file is not known to hold. */
	waiting(): number;
	/** What to keep for a reload; null when nothing waits. */
	draft(): Draft | null;
	/** The node opened the document under this number. */
	opened(document: number, epoch: string): void;
	refused(problem: Problem): void;
	disconnected(): void;
	received(type: number, payload: Uint8Array): void;
	saved(stateVector: Uint8Array): void;
	notSaved(problem: Problem): void;
	/** The number under which the node knows it; null while it is not open there. */
	number(): number | null;
	destroy(): void;
};

type Options = {
	path: string;
	userName: string;
	/** Edits of an earlier page that the file did not hold yet. */
	draft: Draft | null;
	send(document: number, type: number, payload: Uint8Array): void;
	/** Called after each edit and each answer of the node. */
	changed(): void;
};

export function createDocument(options: Options): OpenDocument {
	const path = createStore(options.path);
	const view = createStore<DocumentView>({ kind: "opening" });
	const status = createStore<SaveStatus>({ kind: "offline", edits: options.draft?.edits ?? 0 });
	let number: number | null = null;
	let synced = false;
	let problem: Problem | null = null;
	let history: DocumentHistory | null = null;
	/** The history that the editor still shows while the next one is being fetched; typing goes on in it. */
	let retired: DocumentHistory | null = null;
	/** Edits of an earlier page, until they are put in. */
	let draft = options.draft;

	const waiting = () =>
		(history?.ledger.waiting() ?? 0) + (retired?.ledger.waiting() ?? 0) + (draft === null ? 0 : draft.edits);

	function tell(): void {
		// A file that was never shown has nothing to save, connected or not.
		const connected = (number !== null && synced) || view.get().kind === "refused";
		const next = saveStatus({ connected, waiting: waiting(), problem });
		if (JSON.stringify(next) !== JSON.stringify(status.get())) status.set(next);
		options.changed();
	}
	function send(type: number, payload: Uint8Array): void {
		if (number !== null) options.send(number, type, payload);
	}
	function sendSync(write: (encoder: encoding.Encoder) => void): void {
		const encoder = encoding.createEncoder();
		write(encoder);
		if (encoding.length(encoder) > 0) send(documentMessageSync, encoding.toUint8Array(encoder));
	}

	function begin(epoch: string): DocumentHistory {
		const begun: DocumentHistory = createHistory({
			epoch,
			userName: options.userName,
			updated(update) {
				if (begun === history) sendSync((encoder) => syncProtocol.writeUpdate(encoder, update));
			},
			awarenessUpdated(update) {
				if (begun === history) send(documentMessageAwareness, update);
			},
			edited: tell,
		});
		return begun;
	}

	/** Merges what was edited in another history into this one. */
	function putIn(base: string, mine: string): void {
		if (!history) return;
		const { doc, text } = history;
		const theirs = text.toString();
		const span = differingSpan(theirs, mergeTexts(base, mine, theirs));
		doc.transact(() => {
			if (span.deleted > 0) text.delete(span.start, span.deleted);
			if (span.inserted !== "") text.insert(span.start, span.inserted);
		});
	}

	/** The node's state is all here. */
	function becameComplete(): void {
		if (!history || synced) return;
		synced = true;
		if (draft) putIn(draft.base, textOfUpdate(draft.update));
		draft = null;
		if (retired) {
			if (retired.ledger.waiting() > 0) putIn(retired.base(), retired.text.toString());
			const old = retired;
			retired = null;
			view.set({ kind: "ready", history });
			old.destroy();
		} else if (view.get().kind !== "ready") {
			view.set({ kind: "ready", history });
		}
		const { ledger } = history;
		const unsaved = history.unsaved();
		// Nodes ask for what they miss; this makes sure of it for edits made while there was no connection.
		if (ledger.waiting() > 0) sendSync((encoder) => syncProtocol.writeUpdate(encoder, unsaved));
		tell();
	}

	return {
		path,
		view,
		status,
		waiting,
		number: () => number,
		draft() {
			if (waiting() === 0) return null;
			if (draft) return draft;
			return (retired ?? history)?.draft() ?? null;
		},
		opened(document, epoch) {
			number = document;
			synced = false;
			problem = null;
			if (history?.epoch !== epoch) {
				// Only the history that the editor shows can hold edits; one that never became complete is dropped.
				if (retired) history?.destroy();
				else retired = history;
				history = begin(epoch);
				if (draft?.epoch === epoch) {
					history.takeUp(draft);
					draft = null;
				}
			}
			const { doc, awareness } = history;
			sendSync((encoder) => syncProtocol.writeSyncStep1(encoder, doc));
			send(documentMessageAwareness, encodeAwarenessUpdate(awareness, [doc.clientID]));
			tell();
		},
		refused(refusal) {
			number = null;
			// Edits that wait stay in the editor; only a document without any is replaced by the sentence.
			if (waiting() > 0) problem = refusal;
			else view.set({ kind: "refused", problem: refusal });
			tell();
		},
		disconnected() {
			number = null;
			synced = false;
			history?.forgetOthers();
			tell();
		},
		received(type, payload) {
			if (!history) return;
			if (type === documentMessageAwareness) applyHarmlessAwareness(history.awareness, payload);
			if (type !== documentMessageSync) return;
			const { doc } = history;
			let kind = -1;
			sendSync((encoder) => {
				kind = syncProtocol.readSyncMessage(decoding.createDecoder(payload), encoder, doc, fromNode);
			});
			if (kind === syncProtocol.messageYjsSyncStep2) becameComplete();
		},
		saved(stateVector) {
			problem = null;
			history?.saved(stateVector);
			tell();
		},
		notSaved(reason) {
			problem = reason;
			tell();
		},
		destroy() {
			retired?.destroy();
			history?.destroy();
			number = null;
		},
	};
}
