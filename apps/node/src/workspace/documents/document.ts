import { documentMaxBytes, documentTextName, type Problem, RepldockError, toProblem } from "@repldock/protocol";
import * as Y from "yjs";
import { createSharedAwareness } from "./awareness.ts";
import type { DocumentClient } from "./document-client.ts";
import type { FileKeeper } from "./file-keeper.ts";
import { answerFrame, awarenessFrame, type DocumentFrame, requestFrame, updateFrame } from "./frames.ts";
import { historyMaxBytes, pendingMaxBytes } from "./limits.ts";
import { buildDoc, inspectUpdate, MalformedFrameError, pendingBytes } from "./yjs-update.ts";

/** One open document: what its clients send each other, and its file. */
export interface Document {
	/** Names it in frames. */
	readonly number: number;
	readonly keeper: FileKeeper;
	join(client: DocumentClient): void;
	leave(client: DocumentClient): void;
	has(client: DocumentClient): boolean;
	clientCount(): number;
	/**
	 * @throws MalformedFrameError when the client is no client of ours.
	 * @throws RepldockError when the client may not make this change; it is not in the document any more then.
	 */
	receive(client: DocumentClient, frame: DocumentFrame): void;
	saved(stateVector: Uint8Array): void;
	notSaved(problem: Problem): void;
	moved(path: string | null): void;
	close(): Promise<void>;
}

export function createDocument(number: number, keeper: FileKeeper): Document {
	const { doc } = keeper;
	const text = doc.getText(documentTextName);
	const clients = new Set<DocumentClient>();
	/** Upper bounds, measured anew when they pass a limit. */
	let textBytes = keeper.measure(text.toString());
	let historyBytes = Y.encodeStateAsUpdate(doc).length;

	const awareness = createSharedAwareness(doc, (update, except) => broadcast(awarenessFrame(number, update), except));

	doc.on("update", (update: Uint8Array, origin: unknown) => broadcast(updateFrame(number, update), origin));

	function broadcast(frame: Uint8Array, except: unknown) {
		for (const client of clients) if (client !== except) client.sendFrame(frame);
	}

	/** @throws RepldockError `file_too_large`, `not_allowed` */
	function admit(client: DocumentClient, update: Uint8Array): boolean {
		const { inserted, empty } = inspectUpdate(update);
		if (empty) return false;
		if (!client.canEdit) throw new RepldockError("not_allowed", "You may look at this project but not change it.");
		// A UTF-16 code unit takes at most three bytes of UTF-8, a line break at most two.
		if (textBytes + inserted * 3 > documentMaxBytes) {
			const before = keeper.measure(text.toString());
			const after = inserted === 0 ? before : measureAfter(update);
			if (after > documentMaxBytes && after > before) {
				throw new RepldockError("file_too_large", "With this change the file is too large for the editor.");
			}
			textBytes = after;
		} else textBytes += inserted * 3;
		if (historyBytes + update.length > historyMaxBytes) {
			historyBytes = Y.encodeStateAsUpdate(doc).length;
			if (historyBytes + update.length > historyMaxBytes) {
				throw new RepldockError(
					"file_too_large",
					"So much was changed in this file that its history is too large. Close it everywhere and open it again.",
				);
			}
		}
		historyBytes += update.length;
		return true;
	}

	function measureAfter(update: Uint8Array): number {
		const trial = buildDoc([Y.encodeStateAsUpdate(doc), update]);
		const bytes = keeper.measure(trial.getText(documentTextName).toString());
		trial.destroy();
		return bytes;
	}

	function receiveUpdate(client: DocumentClient, update: Uint8Array) {
		try {
			if (!admit(client, update)) return;
		} catch (error) {
			if (error instanceof RepldockError) refuse(client, error);
			throw error;
		}
		try {
			keeper.apply(update, client);
		} catch (error) {
			throw new MalformedFrameError("an update that cannot be applied", error);
		}
		if (pendingBytes(doc) > pendingMaxBytes) throw new MalformedFrameError("too many updates that miss others");
	}

	function refuse(client: DocumentClient, error: RepldockError) {
		leave(client);
		client.send({ type: "documentRefused", path: keeper.path(), problem: toProblem(error) });
	}

	function leave(client: DocumentClient) {
		if (clients.delete(client)) awareness.leave(client);
	}

	return {
		number,
		keeper,

		join(client) {
			clients.add(client);
			client.send({ type: "documentOpened", path: keeper.path(), document: number, epoch: keeper.epoch });
			if (client.canEdit) client.sendFrame(requestFrame(number, Y.encodeStateVector(doc)));
			const present = awareness.encode();
			if (present) client.sendFrame(awarenessFrame(number, present));
			client.send(savedEvent(number, keeper.savedStateVector()));
			const problem = keeper.problem();
			if (problem) client.send({ type: "documentNotSaved", document: number, problem });
		},

		leave,
		has: (client) => clients.has(client),
		clientCount: () => clients.size,

		receive(client, frame) {
			switch (frame.kind) {
				case "request":
					client.sendFrame(answerFrame(number, encodeSince(doc, frame.stateVector)));
					return;
				case "update":
					receiveUpdate(client, frame.update);
					return;
				case "awareness":
					awareness.receive(client, frame.update);
					return;
			}
		},

		saved(stateVector) {
			if (keeper.isSaved()) textBytes = Math.max(keeper.savedBytes(), 1);
			for (const client of clients) client.send(savedEvent(number, stateVector));
		},

		notSaved(problem) {
			for (const client of clients) client.send({ type: "documentNotSaved", document: number, problem });
		},

		moved(path) {
			for (const client of clients) client.send({ type: "documentMoved", document: number, path });
		},

		async close() {
			awareness.close();
			await keeper.close();
		},
	};
}

function savedEvent(document: number, stateVector: Uint8Array) {
	return { type: "documentSaved" as const, document, stateVector: Buffer.from(stateVector).toString("base64") };
}

function encodeSince(doc: Y.Doc, stateVector: Uint8Array): Uint8Array {
	try {
		return Y.encodeStateAsUpdate(doc, stateVector);
	} catch (error) {
		throw new MalformedFrameError("a state vector that cannot be read", error);
	}
}
