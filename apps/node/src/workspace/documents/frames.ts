import { documentMessageAwareness, documentMessageSync } from "@repldock/protocol";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { MalformedFrameError } from "./yjs-update.ts";

/** Message kinds inside a sync payload, as y-protocols numbers them. */
const syncRequest = 0;
const syncAnswer = 1;
const syncUpdate = 2;

/** A binary frame of the events socket, read. */
export type DocumentFrame =
	| { kind: "request"; document: number; stateVector: Uint8Array }
	| { kind: "update"; document: number; update: Uint8Array }
	| { kind: "awareness"; document: number; update: Uint8Array };

/** @throws MalformedFrameError */
export function readFrame(bytes: Uint8Array): DocumentFrame {
	try {
		const decoder = decoding.createDecoder(bytes);
		const document = decoding.readVarUint(decoder);
		const kind = decoding.readVarUint(decoder);
		if (kind === documentMessageAwareness) {
			return { kind: "awareness", document, update: decoding.readTailAsUint8Array(decoder) };
		}
		if (kind !== documentMessageSync) throw new Error(`unknown kind ${kind}`);
		const message = decoding.readVarUint(decoder);
		const payload = decoding.readVarUint8Array(decoder);
		if (message === syncRequest) return { kind: "request", document, stateVector: payload };
		if (message === syncAnswer || message === syncUpdate) return { kind: "update", document, update: payload };
		throw new Error(`unknown sync message ${message}`);
	} catch (error) {
		throw new MalformedFrameError("a frame that cannot be read", error);
	}
}

/** Asks the other side for all that is not in this state vector. */
export function requestFrame(document: number, stateVector: Uint8Array): Uint8Array {
	return syncFrame(document, syncRequest, stateVector);
}

/** Answers a request. */
export function answerFrame(document: number, update: Uint8Array): Uint8Array {
	return syncFrame(document, syncAnswer, update);
}

export function updateFrame(document: number, update: Uint8Array): Uint8Array {
	return syncFrame(document, syncUpdate, update);
}

export function awarenessFrame(document: number, update: Uint8Array): Uint8Array {
	const encoder = encoding.createEncoder();
	encoding.writeVarUint(encoder, document);
	encoding.writeVarUint(encoder, documentMessageAwareness);
	encoding.writeUint8Array(encoder, update);
	return encoding.toUint8Array(encoder);
}

function syncFrame(document: number, message: number, payload: Uint8Array): Uint8Array {
	const encoder = encoding.createEncoder();
	encoding.writeVarUint(encoder, document);
	encoding.writeVarUint(encoder, documentMessageSync);
	encoding.writeVarUint(encoder, message);
	encoding.writeVarUint8Array(encoder, payload);
	return encoding.toUint8Array(encoder);
}
