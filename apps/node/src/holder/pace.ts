/**
 * How fast what one project's terminals show may leave the node: a bucket of bytes that all its PTYs and all their
 * viewers share, since what each viewer is sent is real egress. What has to wait stays in the scrollback; a viewer that
 * is sent nothing acknowledges nothing, so that flow control holds the program back and nothing piles up.
 */
export interface Pace {
	/**
	 * Asks for what a viewer is owed, which then says by `sent` what it was sent. @returns how many bytes may be sent now;
	 * 0: the viewer is called when it may go on, in turn with the project's others.
	 */
	ask(viewer: Paced, owedBytes: number): number;
	sent(bytes: number): void;
	/** The viewer is going to be called. */
	isWaiting(viewer: Paced): boolean;
	enter(viewer: Paced): void;
	/** Its socket is gone; harmless to repeat. */
	leave(viewer: Paced): void;
	/** Null: as fast as it comes. */
	setRate(bytesPerSecond: number | null): void;
	/** Viewers are here. */
	readonly isUsed: boolean;
	/** Something was sent at this moment, on the clock of `performance.now()`. */
	readonly sentAtMs: number;
	/** Sent to all viewers; only rises. */
	readonly sentBytes: number;
	/** A viewer waits, or had to within the last moment. */
	readonly hadToWait: boolean;
}

/** What goes on when its time has come. */
export type Paced = () => void;

/** No terminal is slower, whatever its project may send. */
const leastBytesPerSecond = 64 * 1024;
/** People who read and type never send so much at once that they feel a pace. */
const burstBytes = 2 * 1024 * 1024;
/** What is owed a viewer that may be sent ahead of its time: an echo, a prompt, an event. */
const smallBytes = 4 * 1024;
/** So much is sent ahead of its time at the most: typing does not wait behind a flood in another terminal. */
const debtMostBytes = 64 * 1024;
/** A viewer's turn is what the pace gives in this time. */
const turnMs = 50;
const mostTurnBytes = 64 * 1024;
/** Timers are not set for less. */
const leastWaitMs = 4;
/** For so long it is told that a project had to wait. */
const waitedForMs = 1_500;

/** @param onWait is called when a viewer has to wait, unless one had to within the last moment. */
export function createPace(onWait: () => void): Pace {
	const viewers = new Set<Paced>();
	/** In the order of their turns. */
	const waiting = new Set<Paced>();
	let rate: number | null = null;
	/** Below 0: sent ahead of its time. */
	let left = burstBytes;
	let filledAtMs = performance.now();
	let sentBytes = 0;
	let sentAtMs = filledAtMs;
	let waitedAtMs = Number.NEGATIVE_INFINITY;
	let timer: NodeJS.Timeout | undefined;
	/** Whose turn it is. */
	let called: Paced | undefined;

	const turnBytes = (bytesPerSecond: number) => Math.min(mostTurnBytes, (bytesPerSecond * turnMs) / 1000);
	const hadToWait = () => waiting.size > 0 || performance.now() - waitedAtMs < waitedForMs;

	function fill(): void {
		const nowMs = performance.now();
		left = rate === null ? burstBytes : Math.min(burstBytes, left + (rate * (nowMs - filledAtMs)) / 1000);
		filledAtMs = nowMs;
	}

	function setTimer(): void {
		if (timer || waiting.size === 0) return;
		const waitMs = rate === null ? 0 : ((turnBytes(rate) - left) / rate) * 1000;
		timer = setTimeout(callWaiting, Math.max(leastWaitMs, waitMs));
	}

	function clearTimer(): void {
		clearTimeout(timer);
		timer = undefined;
	}

	/** One turn each, round and round, until what there is is used up. */
	function callWaiting(): void {
		timer = undefined;
		fill();
		for (const viewer of waiting) {
			if (left <= 0) break;
			waiting.delete(viewer);
			called = viewer;
			viewer();
			called = undefined;
		}
		setTimer();
	}

	return {
		ask(viewer, owedBytes) {
			fill();
			if (rate === null) return owedBytes;
			const isTurn = called === viewer;
			if (isTurn) called = undefined;
			const isSmall = owedBytes <= smallBytes && left - owedBytes >= -debtMostBytes;
			if (isSmall && !waiting.has(viewer)) return owedBytes;
			if (isTurn) return Math.min(owedBytes, Math.ceil(turnBytes(rate)));
			if (left > 0 && waiting.size === 0) return Math.min(owedBytes, Math.ceil(Math.max(left, turnBytes(rate))));
			const isNew = !hadToWait();
			waiting.add(viewer);
			waitedAtMs = performance.now();
			setTimer();
			if (isNew) onWait();
			return 0;
		},
		sent(bytes) {
			left -= bytes;
			sentBytes += bytes;
			sentAtMs = performance.now();
		},
		isWaiting: (viewer) => waiting.has(viewer),
		enter: (viewer) => void viewers.add(viewer),
		leave(viewer) {
			viewers.delete(viewer);
			waiting.delete(viewer);
			if (waiting.size === 0) clearTimer();
		},
		setRate(bytesPerSecond) {
			fill();
			rate = bytesPerSecond === null ? null : Math.max(leastBytesPerSecond, bytesPerSecond);
			clearTimer();
			setTimer();
		},
		get isUsed() {
			return viewers.size > 0;
		},
		get sentAtMs() {
			return sentAtMs;
		},
		get sentBytes() {
			return sentBytes;
		},
		get hadToWait() {
			return hadToWait();
		},
	};
}
