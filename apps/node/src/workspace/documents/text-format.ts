import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { RepldockError } from "@repldock/protocol";
import { diffText } from "./diff-text.ts";

export type LineEnding = "\n" | "\r\n" | "\r";

/**
 * What a text file has besides its lines. Editors know one kind of line break, so documents hold `\n` only; this
 * remembers what each break is on disk.
 */
export interface TextFormat {
	byteOrderMark: boolean;
	/** The commonest ending, which new lines get. */
	ending: LineEnding;
	/** For files that mix endings: each break in turn as `n` (LF), `b` (CR LF) or `r` (CR). Null when all are alike. */
	mixed: string | null;
}

const endingOf: Record<string, LineEnding> = { n: "\n", b: "\r\n", r: "\r" };
const letterOf: Record<LineEnding, string> = { "\n": "n", "\r\n": "b", "\r": "r" };
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** @throws RepldockError `not_text` when the bytes are not UTF-8 or hold a NUL. */
export function decodeText(bytes: Uint8Array): { text: string; format: TextFormat } {
	if (bytes.includes(0) || !isUtf8(bytes)) {
		throw new RepldockError("not_text", "This file is not text. Download it to look at it.");
	}
	const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const marked = whole.subarray(0, 3).equals(byteOrderMark);
	const raw = whole.toString("utf8", marked ? 3 : 0);
	if (!raw.includes("\r")) return { text: raw, format: { byteOrderMark: marked, ending: "\n", mixed: null } };
	const counts = { "\n": 0, "\r\n": 0, "\r": 0 };
	const letters: string[] = [];
	const text = raw.replace(/\r\n?|\n/g, (found) => {
		counts[found as LineEnding] += 1;
		letters.push(letterOf[found as LineEnding]);
		return "\n";
	});
	const endings = (Object.keys(counts) as LineEnding[]).filter((ending) => counts[ending] > 0);
	const ending = endings.reduce((most, next) => (counts[next] > counts[most] ? next : most));
	return { text, format: { byteOrderMark: marked, ending, mixed: endings.length > 1 ? letters.join("") : null } };
}

/** The bytes of `text` on disk; `format` must belong to this very text (see `followEdits`). */
export function encodeText(text: string, format: TextFormat): Uint8Array {
	const { mixed } = format;
	let next = 0;
	const raw =
		mixed === null
			? format.ending === "\n"
				? text
				: text.replaceAll("\n", format.ending)
			: text.replaceAll("\n", () => endingOf[mixed[next++] ?? ""] ?? format.ending);
	return Buffer.from(format.byteOrderMark ? `\ufeff${raw}` : raw, "utf8");
}

/** The format after edits: breaks that were not edited keep their own ending, new ones get the commonest. */
export function followEdits(format: TextFormat, oldText: string, newText: string): TextFormat {
	if (format.mixed === null || oldText === newText) return format;
	const fresh = letterOf[format.ending];
	let letters = "";
	let oldBreak = 0;
	let oldIndex = 0;
	const breaksIn = (text: string) => text.split("\n").length - 1;
	for (const edit of diffText(oldText, newText)) {
		const kept = breaksIn(oldText.slice(oldIndex, edit.index));
		letters += format.mixed.slice(oldBreak, oldBreak + kept) + fresh.repeat(breaksIn(edit.insert));
		oldBreak += kept + breaksIn(oldText.slice(edit.index, edit.index + edit.remove));
		oldIndex = edit.index + edit.remove;
	}
	return { ...format, mixed: letters + format.mixed.slice(oldBreak) };
}

/** Names the content of a file. */
export function hashBytes(bytes: Uint8Array): string {
	return createHash("sha256").update(bytes).digest("base64url");
}
