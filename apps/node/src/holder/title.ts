/** Longest title that is kept, in bytes; a longer one is cut. */
const titleMostBytes = 200;
const escapeByte = 0x1b;
const bell = 0x07;
const introducer = Buffer.from("\x1b]");

/**
 * Finds the titles that programs set (OSC 0 and 2) in output that arrives in pieces.
 * @returns a function that takes the next piece and answers the last title that became complete in it, or null.
 */
export function createTitleReader(): (piece: Buffer) => string | null {
	let carried = Buffer.alloc(0);

	return (piece) => {
		const bytes = carried.length > 0 ? Buffer.concat([carried, piece]) : piece;
		carried = Buffer.alloc(0);
		let title: string | null = null;
		let start = bytes.indexOf(introducer);
		while (start >= 0) {
			const end = sequenceEnd(bytes, start + introducer.length);
			if (end === null) {
				// Unfinished: wait for the rest unless it is longer than any title may be.
				if (bytes.length - start <= titleMostBytes + 8) carried = Buffer.from(bytes.subarray(start));
				return title;
			}
			title = readTitle(bytes.toString("utf8", start + introducer.length, end)) ?? title;
			start = bytes.indexOf(introducer, end);
		}
		if (bytes.at(-1) === escapeByte) carried = Buffer.from([escapeByte]);
		return title;
	};
}

/** Index of the bell or escapeByte that ends the sequence; null when it has not come yet. */
function sequenceEnd(bytes: Buffer, from: number): number | null {
	const most = Math.min(bytes.length, from + titleMostBytes + 8);
	for (let index = from; index < most; index += 1) {
		if (bytes[index] === bell || bytes[index] === escapeByte) return index;
	}
	return most < bytes.length ? most : null;
}

function readTitle(sequence: string): string | null {
	const match = /^[02];(.*)$/su.exec(sequence);
	const title = match?.[1]?.replace(/[\p{Cc}\p{Cf}]/gu, "").trim();
	return title ? title.slice(0, titleMostBytes) : null;
}
