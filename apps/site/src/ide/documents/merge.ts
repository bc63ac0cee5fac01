/**
 * Puts edits made here into a text that went on without them: a three-way merge by lines. Used when the node lost the
 * document's history (another epoch), so that Yjs itself cannot merge. It would rather keep a line twice than lose one.
 */

/** Lines `start` to `end` (exclusive) of the base became `lines`. */
export type Hunk = { start: number; end: number; lines: readonly string[] };

/** More edit steps than this are not searched for; what lies between is then one hunk. Bounds time to a second or so. */
const mostSteps = 2_000;

/** The changes that lead from one list of lines to another, in order (Myers' algorithm on what differs in the middle). */
export function diffLines(from: readonly string[], to: readonly string[]): Hunk[] {
	let head = 0;
	while (head < from.length && head < to.length && from[head] === to[head]) head++;
	let tail = 0;
	const most = Math.min(from.length, to.length) - head;
	while (tail < most && from[from.length - 1 - tail] === to[to.length - 1 - tail]) tail++;
	const pairs = commonLines(from.slice(head, from.length - tail), to.slice(head, to.length - tail));

	const hunks: Hunk[] = [];
	let start = head;
	let toStart = head;
	const ends = [
		...pairs.map(([a, b]) => [a + head, b + head] as const),
		[from.length - tail, to.length - tail] as const,
	];
	for (const [end, toEnd] of ends) {
		if (end > start || toEnd > toStart) hunks.push({ start, end, lines: to.slice(toStart, toEnd) });
		start = end + 1;
		toStart = toEnd + 1;
	}
	return hunks;
}

/** Index pairs of a longest common subsequence; empty when it would take too long to find. */
function commonLines(from: readonly string[], to: readonly string[]): [number, number][] {
	const limit = Math.min(from.length + to.length, mostSteps);
	const furthest = new Map<number, number>([[1, 0]]);
	const history: Map<number, number>[] = [];
	for (let step = 0; step <= limit; step++) {
		history.push(new Map(furthest));
		for (let diagonal = -step; diagonal <= step; diagonal += 2) {
			const down = goesDown(furthest, diagonal, step);
			let x = down ? (furthest.get(diagonal + 1) ?? 0) : (furthest.get(diagonal - 1) ?? 0) + 1;
			while (x < from.length && x - diagonal < to.length && from[x] === to[x - diagonal]) x++;
			furthest.set(diagonal, x);
			if (x >= from.length && x - diagonal >= to.length) return walkBack(history, from.length, to.length);
		}
	}
	return [];
}

function goesDown(furthest: ReadonlyMap<number, number>, diagonal: number, step: number): boolean {
	if (diagonal === -step) return true;
	if (diagonal === step) return false;
	return (furthest.get(diagonal - 1) ?? 0) < (furthest.get(diagonal + 1) ?? 0);
}

function walkBack(history: readonly ReadonlyMap<number, number>[], fromEnd: number, toEnd: number): [number, number][] {
	const pairs: [number, number][] = [];
	let x = fromEnd;
	let y = toEnd;
	for (let step = history.length - 1; step >= 0; step--) {
		const furthest = history[step] ?? new Map<number, number>();
		const diagonal = x - y;
		const previous = goesDown(furthest, diagonal, step) ? diagonal + 1 : diagonal - 1;
		const previousX = step === 0 ? 0 : (furthest.get(previous) ?? 0);
		const previousY = step === 0 ? 0 : previousX - previous;
		while (x > previousX && y > previousY) pairs.push([--x, --y]);
		x = previousX;
		y = previousY;
	}
	return pairs.reverse();
}

/**
 * @param base The text that both sides began with.
 * @param mine The text as edited here.
 * @param theirs The text as the node has it now.
 * @returns theirs with the edits of mine put in.
 */
export function mergeTexts(base: string, mine: string, theirs: string): string {
	if (mine === base || mine === theirs) return theirs;
	if (theirs === base) return mine;
	const baseLines = base.split("\n");
	const myHunks = diffLines(baseLines, mine.split("\n"));
	const theirHunks = diffLines(baseLines, theirs.split("\n"));

	const merged: string[] = [];
	let at = 0;
	let m = 0;
	let t = 0;
	while (m < myHunks.length || t < theirHunks.length) {
		const start = Math.min(
			myHunks[m]?.start ?? Number.POSITIVE_INFINITY,
			theirHunks[t]?.start ?? Number.POSITIVE_INFINITY,
		);
		// Hunks of both sides that touch form one region, which is decided as a whole.
		let end = start;
		const mineFrom = m;
		const theirsFrom = t;
		for (let grew = true; grew; ) {
			grew = false;
			for (let hunk = myHunks[m]; hunk && hunk.start <= end; hunk = myHunks[++m]) {
				end = Math.max(end, hunk.end);
				grew = true;
			}
			for (let hunk = theirHunks[t]; hunk && hunk.start <= end; hunk = theirHunks[++t]) {
				end = Math.max(end, hunk.end);
				grew = true;
			}
		}
		merged.push(...baseLines.slice(at, start));
		const region = baseLines.slice(start, end);
		const my = applyHunks(region, start, myHunks.slice(mineFrom, m));
		const their = applyHunks(region, start, theirHunks.slice(theirsFrom, t));
		merged.push(...mergeRegion(region, my, their));
		at = end;
	}
	merged.push(...baseLines.slice(at));
	return merged.join("\n");
}

function applyHunks(region: readonly string[], offset: number, hunks: readonly Hunk[]): string[] {
	const result: string[] = [];
	let at = 0;
	for (const hunk of hunks) {
		result.push(...region.slice(at, hunk.start - offset), ...hunk.lines);
		at = hunk.end - offset;
	}
	return [...result, ...region.slice(at)];
}

function mergeRegion(base: readonly string[], mine: readonly string[], theirs: readonly string[]): readonly string[] {
	const [b, m, t] = [base.join("\n"), mine.join("\n"), theirs.join("\n")];
	if (m === t || m === b) return theirs;
	if (t === b) return mine;
	// The file often holds the first part of what was typed here: then mine says all that theirs says, and more.
	if (isSubsequence(t, m)) return mine;
	if (isSubsequence(m, t)) return theirs;
	return [...theirs, ...mine];
}

/** Whether `part` can be had from `whole` by deletions alone. */
function isSubsequence(part: string, whole: string): boolean {
	let found = 0;
	for (let index = 0; index < whole.length && found < part.length; index++) {
		if (whole[index] === part[found]) found++;
	}
	return found === part.length;
}

/** The one span in which two texts differ. */
export function differingSpan(from: string, to: string): { start: number; deleted: number; inserted: string } {
	const most = Math.min(from.length, to.length);
	let start = 0;
	while (start < most && from[start] === to[start]) start++;
	let tail = 0;
	while (tail < most - start && from[from.length - 1 - tail] === to[to.length - 1 - tail]) tail++;
	return { start, deleted: from.length - tail - start, inserted: to.slice(start, to.length - tail) };
}
