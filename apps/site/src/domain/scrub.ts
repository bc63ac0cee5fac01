/**
 * How long a node waits before it reads its next object, in milliseconds: so that all bytes are read in the period, evenly.
 * One that is behind goes on at once.
 */
export function scrubDueMs(progress: {
	sinceBeganMs: number;
	periodMs: number;
	doneBytes: number;
	allBytes: number;
}): number {
	const { sinceBeganMs, periodMs, doneBytes, allBytes } = progress;
	const share = allBytes > 0 ? doneBytes / allBytes : 1;
	return Math.max(0, Math.round(share * periodMs - sinceBeganMs));
}
