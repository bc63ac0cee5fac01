import { ptyWindowBytes } from "@repldock/protocol";
import type { Viewer } from "./viewer.ts";

/**
 * Decides when a program's output must wait. The viewer that is furthest ahead sets the pace; those behind it are
 * sent what they can take and jump ahead when their next bytes are gone. A viewer that acknowledges nothing for
 * `stalledAfterMs`, though it was sent something to acknowledge, sets no pace, and with nobody attached output goes
 * into the scrollback only, so that no program ever waits for a closed laptop. Who leaves is waited for a moment: a
 * page reload in a flood loses nothing.
 */
export interface Flow {
	/** A viewer came, left, acknowledged something, or output came: pauses or resumes the output. */
	update(): void;
	/** A viewer left; call after it was taken out of the set. */
	left(viewer: Viewer): void;
	/** Output is being held back. */
	readonly paused: boolean;
	/** Output may have been held back within the last moment, so that pipes before us are full. */
	readonly flooded: boolean;
	/** Lets all output through until `update` is called again. */
	release(): void;
	dispose(): void;
}

const stalledAfterMs = 5_000;
const returnWithinMs = 3_000;
const floodedWithinMs = 500;

/** What may pile up for a viewer that left: its window may be lost on the way, and as much again comes. */
const returnWindowBytes = 2 * ptyWindowBytes;

export function createFlow(options: {
	viewers: ReadonlySet<Viewer>;
	end(): number;
	pause(): void;
	resume(): void;
}): Flow {
	const { viewers } = options;
	let paused = false;
	let lastPausedAtMs = Number.NEGATIVE_INFINITY;
	let stallTimer: NodeJS.Timeout | undefined;
	let expected: { acknowledged: number; timer: NodeJS.Timeout } | undefined;

	function mustWait(): boolean {
		let furthest = -1;
		for (const viewer of viewers) if (!viewer.stalled) furthest = Math.max(furthest, viewer.acknowledged);
		if (furthest >= 0) return options.end() - furthest >= ptyWindowBytes;
		return viewers.size === 0 && expected !== undefined && options.end() - expected.acknowledged >= returnWindowBytes;
	}

	function setPaused(next: boolean): void {
		if (paused) lastPausedAtMs = performance.now();
		if (next === paused) return;
		paused = next;
		clearTimeout(stallTimer);
		if (paused) {
			stallTimer = setTimeout(dropStalled, stalledAfterMs);
			options.pause();
		} else options.resume();
	}

	function dropStalled(): void {
		const longAgo = performance.now() - stalledAfterMs;
		for (const viewer of viewers) {
			if (viewer.progressedAtMs <= longAgo && !viewer.waitsForPace) viewer.stalled = true;
		}
		update();
		if (paused) stallTimer = setTimeout(dropStalled, stalledAfterMs);
	}

	function forget(): void {
		clearTimeout(expected?.timer);
		expected = undefined;
	}

	function update(): void {
		if (viewers.size > 0) forget();
		setPaused(mustWait());
	}

	return {
		update,
		left(viewer) {
			forget();
			if (viewers.size === 0 && !viewer.stalled) {
				const timer = setTimeout(() => {
					forget();
					update();
				}, returnWithinMs);
				expected = { acknowledged: viewer.acknowledged, timer };
			}
			update();
		},
		get paused() {
			return paused;
		},
		get flooded() {
			return paused || performance.now() - lastPausedAtMs < floodedWithinMs;
		},
		release: () => setPaused(false),
		dispose() {
			forget();
			clearTimeout(stallTimer);
		},
	};
}
