/** Edits of a document that are not in the file yet, as they are kept for a reload of the page. */
export type Draft = {
	epoch: string;
	/** The document's whole Yjs state. */
	update: Uint8Array;
	/** The text before the edits that wait. */
	base: string;
	edits: number;
};
