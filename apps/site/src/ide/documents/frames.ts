import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

/** A binary frame of the events socket: document number, message type (both varints), payload. */
export type DocumentFrame = { document: number; type: number; payload: Uint8Array };

export function encodeDocumentFrame(frame: DocumentFrame): Uint8Array<ArrayBuffer> {
	const encoder = encoding.createEncoder();
	encoding.writeVarUint(encoder, frame.document);
	encoding.writeVarUint(encoder, frame.type);
	encoding.writeUint8Array(encoder, frame.payload);
	return encoding.toUint8Array(encoder);
}

/** @throws Error when the frame ends too early. */
export function decodeDocumentFrame(bytes: Uint8Array): DocumentFrame {
	const decoder = decoding.createDecoder(bytes);
	const document = decoding.readVarUint(decoder);
	const type = decoding.readVarUint(decoder);
	return { document, type, payload: decoding.readTailAsUint8Array(decoder) };
}

/** Bytes of a base64 string. @throws DOMException when it is none. */
export function fromBase64(text: string): Uint8Array {
	return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
