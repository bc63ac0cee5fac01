import { documentTextName } from "@repldock/protocol/constants";
import * as awarenessProtocol from "y-protocols/awareness";
import * as Y from "yjs";
import type { Draft } from "./draft.ts";
import { colourOf } from "./people-colours.ts";
import { createSaveLedger, type SaveLedger } from "./save-status.ts";

/** Origin of transactions that came from the node; all others are edits of this page. */
export const fromNode = Symbol("from the node");
/** Counts pure deletions, which leave a state vector as it is: with the counter, "saved" covers them too. */
const editsMapName = "edits";

/** One history of a file, which is one epoch of the node's copy: what the editor binds to. */
export type DocumentHistory = {
	doc: Y.Doc;
	text: Y.Text;
	awareness: awarenessProtocol.Awareness;
	epoch: string;
	ledger: SaveLedger;
	/** The text before the first edit that waits; the text itself when none does. */
	base(): string;
	/** The file holds this state. */
	saved(stateVector: Uint8Array): void;
	/** The edits that the file is not known to hold, as one update. */
	unsaved(): Uint8Array;
	/** Puts in the edits of an earlier page. */
	takeUp(draft: Draft): void;
	draft(): Draft;
	/** Other people's cursors are not known while there is no connection. */
	forgetOthers(): void;
	destroy(): void;
};

type Options = {
	epoch: string;
	userName: string;
	/** An update to be sent to the node. */
	updated(update: Uint8Array): void;
	awarenessUpdated(update: Uint8Array): void;
	/** An edit of this page was noted in the ledger. */
	edited(): void;
};

export function createHistory(options: Options): DocumentHistory {
	const doc = new Y.Doc();
	const text = doc.getText(documentTextName);
	const awareness = new awarenessProtocol.Awareness(doc);
	const ledger = createSaveLedger();
	let base: string | null = null;
	awareness.setLocalStateField("user", { name: options.userName, color: colourOf(options.userName) });

	doc.on("beforeTransaction", (transaction: Y.Transaction) => {
		if (transaction.origin !== fromNode) base ??= text.toString();
	});
	doc.on("afterTransaction", (transaction: Y.Transaction) => {
		if (transaction.origin === fromNode) return;
		if (movedVector(transaction)) {
			ledger.edited(stateVectorOf(doc));
			options.edited();
		} else if (transaction.deleteSet.clients.size > 0) {
			const edits = doc.getMap<number>(editsMapName);
			const key = String(doc.clientID);
			// This is a transaction of its own: the one that the ledger takes note of.
			edits.set(key, (edits.get(key) ?? 0) + 1);
		} else if (ledger.waiting() === 0) {
			base = null;
		}
	});
	doc.on("update", (update: Uint8Array, origin: unknown) => {
		if (origin !== fromNode) options.updated(update);
	});
	awareness.on("update", (change: AwarenessChange, origin: unknown) => {
		if (origin === fromNode) return;
		const clients = [...change.added, ...change.updated, ...change.removed];
		options.awarenessUpdated(awarenessProtocol.encodeAwarenessUpdate(awareness, clients));
	});

	return {
		doc,
		text,
		awareness,
		epoch: options.epoch,
		ledger,
		base: () => base ?? text.toString(),
		saved(stateVector) {
			ledger.saved(Y.decodeStateVector(stateVector));
			if (ledger.waiting() === 0) base = null;
		},
		unsaved: () => Y.encodeStateAsUpdate(doc, Y.encodeStateVector(new Map(ledger.known()))),
		takeUp(draft) {
			Y.applyUpdate(doc, draft.update, fromNode);
			const state = stateVectorOf(doc);
			for (let edit = 0; edit < draft.edits; edit++) ledger.edited(state);
			base = draft.base;
		},
		draft: () => ({
			epoch: options.epoch,
			update: Y.encodeStateAsUpdate(doc),
			base: base ?? text.toString(),
			edits: ledger.waiting(),
		}),
		forgetOthers() {
			const others = [...awareness.getStates().keys()].filter((client) => client !== doc.clientID);
			awarenessProtocol.removeAwarenessStates(awareness, others, fromNode);
		},
		destroy() {
			awareness.destroy();
			doc.destroy();
		},
	};
}

type AwarenessChange = { added: number[]; updated: number[]; removed: number[] };

function stateVectorOf(doc: Y.Doc): Map<number, number> {
	return Y.decodeStateVector(Y.encodeStateVector(doc));
}

function movedVector(transaction: Y.Transaction): boolean {
	for (const [client, clock] of transaction.afterState) {
		if ((transaction.beforeState.get(client) ?? 0) !== clock) return true;
	}
	return false;
}

/** The file's content in a state that was kept. */
export function textOfUpdate(update: Uint8Array): string {
	const doc = new Y.Doc();
	Y.applyUpdate(doc, update);
	const text = doc.getText(documentTextName).toString();
	doc.destroy();
	return text;
}

/** What other people's pages say of themselves ends in the page's style and text: only a name and a cursor pass. */
export function applyHarmlessAwareness(awareness: awarenessProtocol.Awareness, update: Uint8Array): void {
	const harmless = awarenessProtocol.modifyAwarenessUpdate(update, (state: unknown) => {
		if (typeof state !== "object" || state === null) return null;
		const { user, cursor } = state as { user?: { name?: unknown } | null; cursor?: unknown };
		const name = typeof user?.name === "string" ? user.name.slice(0, 40) : "Somebody";
		return { user: { name, color: colourOf(name) }, cursor: cursor ?? null };
	});
	awarenessProtocol.applyAwarenessUpdate(awareness, harmless, fromNode);
}
