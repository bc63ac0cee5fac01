import { documentMessageSync, documentTextName } from "@repldock/protocol/constants";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { expect, test } from "vitest";
import * as syncProtocol from "y-protocols/sync";
import * as Y from "yjs";
import { createDocument, type OpenDocument } from "../../src/ide/documents/document.ts";
import type { Draft } from "../../src/ide/documents/draft.ts";

/** The node's copy of a document, spoken to by the real sync protocol. */
function createNodeCopy(text: string) {
	const doc = new Y.Doc();
	doc.getText(documentTextName).insert(0, text);
	return {
		doc,
		text: () => doc.getText(documentTextName).toString(),
		/** Takes a client's message; answers through `client`. */
		receive(client: OpenDocument, type: number, payload: Uint8Array) {
			if (type !== documentMessageSync) return;
			const answer = encoding.createEncoder();
			syncProtocol.readSyncMessage(decoding.createDecoder(payload), answer, doc, null);
			if (encoding.length(answer) > 0) client.received(documentMessageSync, encoding.toUint8Array(answer));
		},
		save: (client: OpenDocument) => client.saved(Y.encodeStateVector(doc)),
	};
}

function openClient(node: ReturnType<typeof createNodeCopy>, draft: Draft | null = null) {
	let target = node;
	const client: OpenDocument = createDocument({
		path: "main.py",
		userName: "Ada",
		draft,
		send: (_document, type, payload) => target.receive(client, type, payload),
		changed: () => {},
	});
	const history = () => {
		const view = client.view.get();
		if (view.kind !== "ready") throw new Error(`The document is ${view.kind}.`);
		return view.history;
	};
	return {
		client,
		history,
		text: () => history().text,
		moveTo(next: typeof node) {
			target = next;
		},
	};
}

test("an edit is saving until the file holds it", () => {
	const node = createNodeCopy("hello");
	const { client, text } = openClient(node);
	client.opened(1, "one");
	expect(text().toString()).toBe("hello");
	expect(client.status.get().kind).toBe("saved");
	text().insert(5, " world");
	expect(node.text()).toBe("hello world");
	expect(client.status.get().kind).toBe("saving");
	node.save(client);
	expect(client.status.get().kind).toBe("saved");
});

test("a pure deletion is not called saved before the file holds it", () => {
	const node = createNodeCopy("hello");
	const { client, text } = openClient(node);
	client.opened(1, "one");
	const before = Y.encodeStateVector(node.doc);
	text().delete(0, 1);
	expect(client.status.get().kind).toBe("saving");
	client.saved(before);
	expect(client.status.get().kind).toBe("saving");
	node.save(client);
	expect(client.status.get().kind).toBe("saved");
	expect(node.text()).toBe("ello");
});

test("edits made offline reach the node after the connection is back", () => {
	const node = createNodeCopy("a");
	const { client, text, history } = openClient(node);
	client.opened(1, "one");
	const bound = history();
	client.disconnected();
	text().insert(1, "b");
	text().insert(2, "c");
	expect(client.status.get()).toEqual({ kind: "offline", edits: 2 });
	expect(node.text()).toBe("a");
	client.opened(2, "one");
	expect(node.text()).toBe("abc");
	expect(history()).toBe(bound);
	node.save(client);
	expect(client.status.get().kind).toBe("saved");
});

test("when the node lost the history, edits that waited are put into the new one", () => {
	const node = createNodeCopy("1\n2\n3");
	const opened = openClient(node);
	const { client } = opened;
	client.opened(1, "one");
	client.disconnected();
	opened.text().insert(5, "\n4");
	const restarted = createNodeCopy("zero\n1\n2\n3");
	opened.moveTo(restarted);
	client.opened(1, "two");
	expect(opened.text().toString()).toBe("zero\n1\n2\n3\n4");
	expect(restarted.text()).toBe("zero\n1\n2\n3\n4");
	expect(client.status.get().kind).toBe("saving");
	restarted.save(client);
	expect(client.status.get().kind).toBe("saved");
});

test("without edits that wait, a new history replaces the old one as it is", () => {
	const node = createNodeCopy("old");
	const opened = openClient(node);
	opened.client.opened(1, "one");
	opened.client.disconnected();
	opened.moveTo(createNodeCopy("new"));
	opened.client.opened(1, "two");
	expect(opened.text().toString()).toBe("new");
	expect(opened.client.waiting()).toBe(0);
});

test("a draft of an earlier page comes back, in the same history and in another", () => {
	for (const epoch of ["one", "two"]) {
		const node = createNodeCopy("a\nb");
		const first = openClient(node);
		first.client.opened(1, "one");
		first.client.disconnected();
		first.text().insert(3, "\nc");
		const draft = first.client.draft();
		expect(draft).not.toBeNull();

		const target = epoch === "one" ? node : createNodeCopy("a\nb");
		const second = openClient(target, draft);
		expect(second.client.waiting()).toBe(1);
		second.client.opened(1, epoch);
		expect(target.text()).toBe("a\nb\nc");
		target.save(second.client);
		expect(second.client.draft()).toBeNull();
	}
});
