import { documentTextName } from "@repldock/protocol/constants";
import * as Y from "yjs";
import { readFrame, requestFrame, updateFrame } from "../../src/workspace/documents/frames.ts";

/** An open document as somebody's editor holds it: what is typed goes to the agent at once, as frames. */
export function createTypist(document: number, send: (frame: Uint8Array) => void) {
	const doc = new Y.Doc();
	doc.on("update", (update: Uint8Array, origin: unknown) => {
		if (origin !== "node") send(updateFrame(document, update));
	});
	send(requestFrame(document, Y.encodeStateVector(doc)));
	return {
		/** Takes in a frame of the events socket; those of other documents are not its own. */
		receive(data: Uint8Array) {
			const frame = readFrame(data);
			if (frame.kind === "update" && frame.document === document) Y.applyUpdate(doc, frame.update, "node");
		},
		type: (text: string) => doc.getText(documentTextName).insert(0, text),
	};
}
