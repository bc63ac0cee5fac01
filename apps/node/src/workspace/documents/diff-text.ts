import diff from "fast-diff";

/** Replaces `remove` UTF-16 code units at `index` of the old text by `insert`. */
export interface TextEdit {
	index: number;
	remove: number;
	insert: string;
}

/** Product of lengths up to which a difference is searched by characters: some 30 ms of work. */
const mostCharacterWork = 20_000_000;
/** Lines on both sides up to which a difference is searched by lines. */
const mostLines = 8_000;

/**
 * Edits that turn one text into the other, in ascending order, with indices of the old text. Small changes come out
 * character by character. Work is bounded: large changes come out by line, huge ones as one replacement.
 */
export function diffText(oldText: string, newText: string): TextEdit[] {
	const start = commonPrefix(oldText, newText);
	const end = commonSuffix(oldText, newText, start);
	const before = oldText.slice(start, oldText.length - end);
	const after = newText.slice(start, newText.length - end);
	if (before === "" && after === "") return [];
	if (before === "" || after === "") return [{ index: start, remove: before.length, insert: after }];
	const edits = isCheap(before, after) ? diffCharacters(before, after) : diffLines(before, after);
	return edits.map((edit) => ({ ...edit, index: edit.index + start }));
}

function isCheap(before: string, after: string): boolean {
	return before.length * after.length <= mostCharacterWork;
}

function diffCharacters(before: string, after: string): TextEdit[] {
	const edits: TextEdit[] = [];
	let index = 0;
	let open: TextEdit | undefined;
	for (const [kind, part] of diff(before, after)) {
		if (kind === diff.EQUAL) {
			index += part.length;
			open = undefined;
			continue;
		}
		if (!open) {
			open = { index, remove: 0, insert: "" };
			edits.push(open);
		}
		if (kind === diff.DELETE) {
			open.remove += part.length;
			index += part.length;
		} else open.insert += part;
	}
	return edits;
}

/** Lines become single code units, so that the same search finds which of them changed. */
function diffLines(before: string, after: string): TextEdit[] {
	const oldLines = splitLines(before);
	const newLines = splitLines(after);
	if (oldLines.length + newLines.length > mostLines) return [{ index: 0, remove: before.length, insert: after }];
	const units = new Map<string, string>();
	const encode = (lines: string[]) =>
		lines
			.map((line) => {
				const unit = units.get(line) ?? String.fromCharCode(units.size + 1);
				units.set(line, unit);
				return unit;
			})
			.join("");
	const edits: TextEdit[] = [];
	let oldLine = 0;
	let newLine = 0;
	let index = 0;
	let work = mostCharacterWork;
	for (const edit of diffCharacters(encode(oldLines), encode(newLines))) {
		const kept = edit.index - oldLine;
		index += lengthOf(oldLines, oldLine, edit.index);
		newLine += kept;
		const removed = oldLines.slice(edit.index, edit.index + edit.remove).join("");
		const inserted = newLines.slice(newLine, newLine + edit.insert.length).join("");
		work -= removed.length * inserted.length;
		const inner =
			work > 0 ? diffCharacters(removed, inserted) : [{ index: 0, remove: removed.length, insert: inserted }];
		const at = index;
		edits.push(...inner.map((part) => ({ ...part, index: part.index + at })));
		index += removed.length;
		oldLine = edit.index + edit.remove;
		newLine += edit.insert.length;
	}
	return edits;
}

function splitLines(text: string): string[] {
	return text.split(/(?<=\n)/);
}

function lengthOf(lines: string[], from: number, to: number): number {
	let length = 0;
	for (let index = from; index < to; index += 1) length += lines[index]?.length ?? 0;
	return length;
}

/** Never ends between the two halves of a surrogate pair: Yjs would replace both by U+FFFD. */
function commonPrefix(left: string, right: string): number {
	const most = Math.min(left.length, right.length);
	let length = 0;
	while (length < most && left.charCodeAt(length) === right.charCodeAt(length)) length += 1;
	return length > 0 && isHighSurrogate(left.charCodeAt(length - 1)) ? length - 1 : length;
}

function commonSuffix(left: string, right: string, prefix: number): number {
	const most = Math.min(left.length, right.length) - prefix;
	let length = 0;
	while (length < most && left.charCodeAt(left.length - 1 - length) === right.charCodeAt(right.length - 1 - length)) {
		length += 1;
	}
	return length > 0 && isLowSurrogate(left.charCodeAt(left.length - length)) ? length - 1 : length;
}

function isHighSurrogate(unit: number): boolean {
	return unit >= 0xd800 && unit <= 0xdbff;
}

function isLowSurrogate(unit: number): boolean {
	return unit >= 0xdc00 && unit <= 0xdfff;
}
