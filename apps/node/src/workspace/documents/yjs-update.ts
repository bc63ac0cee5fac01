import { documentTextName } from "@repldock/protocol";
import * as Y from "yjs";
import { diffText } from "./diff-text.ts";

/** The Y.Map in which clients keep counters; see `documentTextName`. */
const countersName = "edits";

/** A client sent bytes that are no message of ours; its socket is closed. */
export class MalformedFrameError extends Error {
	constructor(message: string, cause?: unknown) {
		super(message, { cause });
		this.name = "MalformedFrameError";
	}
}

/**
 * Looks into an update before it is applied, since applying cannot be undone.
 * @returns how many UTF-16 code units of text it brings at most, and whether it brings nothing at all.
 * @throws MalformedFrameError when it cannot be read or holds anything but text and counters.
 */
export function inspectUpdate(update: Uint8Array): { inserted: number; empty: boolean } {
	let decoded: ReturnType<typeof Y.decodeUpdate>;
	try {
		decoded = Y.decodeUpdate(update);
	} catch (error) {
		throw new MalformedFrameError("an update that cannot be read", error);
	}
	let inserted = 0;
	for (const struct of decoded.structs) {
		if (!(struct instanceof Y.Item)) continue;
		const { content } = struct;
		// The name of a root, null when the neighbours tell it, or the id of a nested type.
		const parent: unknown = struct.parent;
		if (parent !== null && parent !== documentTextName && parent !== countersName) {
			throw new MalformedFrameError("an update of something that is not the text");
		}
		if (content instanceof Y.ContentString) inserted += content.str.length;
		else if (!(content instanceof Y.ContentDeleted || content instanceof Y.ContentAny)) {
			throw new MalformedFrameError("an update with content that is not text");
		}
	}
	return { inserted, empty: decoded.structs.length === 0 && decoded.ds.clients.size === 0 };
}

/** Bytes that wait inside the document for updates which they build on. */
export function pendingBytes(doc: Y.Doc): number {
	return (doc.store.pendingStructs?.update.byteLength ?? 0) + (doc.store.pendingDs?.byteLength ?? 0);
}

/** A copy of the document that these updates make. */
export function buildDoc(updates: readonly Uint8Array[]): Y.Doc {
	const doc = new Y.Doc();
	doc.transact(() => {
		for (const update of updates) Y.applyUpdate(doc, update);
	});
	return doc;
}

/**
 * The update that turns the text of `base` into `text`, made by the client `clientId`. Merged into a document that went
 * on from `base`, it leaves what was written there since in its place.
 */
export function updateToText(base: readonly Uint8Array[], text: string, clientId: number): Uint8Array {
	const doc = buildDoc(base);
	doc.clientID = clientId;
	const before = Y.encodeStateVector(doc);
	const content = doc.getText(documentTextName);
	const edits = diffText(content.toString(), text);
	doc.transact(() => {
		for (const edit of edits.toReversed()) {
			if (edit.remove > 0) content.delete(edit.index, edit.remove);
			if (edit.insert !== "") content.insert(edit.index, edit.insert);
		}
	});
	const update = Y.encodeStateAsUpdate(doc, before);
	doc.destroy();
	return update;
}
