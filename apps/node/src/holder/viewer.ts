import {
	type PtyEvent,
	type PtySize,
	type PtyState,
	ptyAcknowledgeEveryBytes,
	ptyWindowBytes,
} from "@repldock/protocol";
import type { Pace } from "./pace.ts";
import type { Scrollback } from "./scrollback.ts";

/** What a viewer needs of its WebSocket; closing codes are the protocol's of RFC 6455. */
export interface ViewerSocket {
	sendText(text: string): void;
	sendBytes(bytes: Buffer): void;
	/** Stops or goes on reading what the browser sends. */
	pauseInput(): void;
	resumeInput(): void;
	close(code: number, reason: string): void;
}

/** A jump ahead replays this much, so that a slow client catches up instead of falling behind again at once. */
const resynchroniseBytes = ptyWindowBytes / 2;

/**
 * One attached browser socket: what of the output it was sent and has processed. It is never sent more than
 * `ptyWindowBytes` beyond what it acknowledged, so its socket's buffer is bounded, and nothing faster than its project's
 * pace. What it is owed stays in the scrollback, and events wait until the output before them was sent.
 */
export interface Viewer {
	readonly socket: ViewerSocket;
	/** May type and resize. */
	readonly mayEdit: boolean;
	/** It has processed all output up to here, or may leave out what it has not. */
	readonly acknowledged: number;
	/**
	 * When it last acknowledged something new, or was sent something while it had nothing to acknowledge (or was
	 * attached), on the clock of `performance.now()`.
	 */
	readonly progressedAtMs: number;
	/** It has acknowledged what it must, and waits for nothing but its project's pace. */
	readonly waitsForPace: boolean;
	/** It did not keep up for so long that nobody waits for it; set by the flow control, cleared by its next progress. */
	stalled: boolean;
	/** Sends what window and pace have room for. */
	pump(): void;
	acknowledge(offset: number): void;
	/** Leaves out what it was not sent yet, and lets it leave out what it has not processed. */
	skip(): void;
	/** Sends an event after all output that was printed until now. */
	tell(event: LaterEvent): void;
	/**
	 * Tells that the PTY is no more and lets it go. What only waits for the pace comes before; who has more to
	 * acknowledge first is not waited for.
	 */
	close(): void;
	/** Its socket is gone; harmless to repeat. */
	gone(): void;
}

/** Events that have their place in the output. */
export type LaterEvent = Extract<PtyEvent, { type: "state" | "resized" }>;

export interface ViewerOptions {
	socket: ViewerSocket;
	scrollback: Scrollback;
	pace: Pace;
	mayEdit: boolean;
	/** Offset that the client has all output up to; undefined for a client that has none. */
	after: number | undefined;
	replay: { mostLines: number; mostBytes: number };
	describe(): { state: PtyState; size: PtySize };
}

const closeNormal = 1000;

/** Attaches: the first frame says where the output that follows begins. */
export function createViewer(options: ViewerOptions): Viewer {
	const { socket, scrollback, pace, replay, after, describe } = options;
	let sent = 0;
	let acknowledged = 0;
	let progressedAtMs = performance.now();
	/** What was left out and never sent, until something behind it is acknowledged. */
	let gaps: { end: number; bytes: number }[] = [];
	let later: { offset: number; event: LaterEvent }[] = [];
	let isClosing = false;

	function beginAt(offset: number, reset: boolean): void {
		sent = offset;
		acknowledged = offset;
		gaps = [];
		sendEvent({ type: "attached", offset, end: scrollback.end, reset, ...describe() });
	}

	function sendEvent(event: PtyEvent): void {
		const text = JSON.stringify(event);
		pace.sent(Buffer.byteLength(text));
		socket.sendText(text);
	}

	/** What it was sent and has not acknowledged. */
	const underWay = () => gaps.reduce((bytes, gap) => bytes - gap.bytes, sent - acknowledged);
	const mustAcknowledge = () => underWay() >= ptyAcknowledgeEveryBytes;

	function pump(): void {
		while (sendNext());
		if (!isClosing || pace.isWaiting(pump)) return;
		isClosing = false;
		sendEvent({ type: "closed" });
		socket.close(closeNormal, "closed");
	}

	/** @returns whether there may be more to send. */
	function sendNext(): boolean {
		const next = later[0];
		if (next && next.offset <= sent) {
			if (pace.ask(pump, JSON.stringify(next.event).length) === 0) return false;
			later.shift();
			sendEvent(next.event);
			return true;
		}
		if (sent < scrollback.start) {
			// Its next bytes are gone. It is shown the newest ones once it has processed what is under way.
			if (mustAcknowledge()) return false;
			beginAt(scrollback.replayStart(replay.mostLines, resynchroniseBytes), true);
			return true;
		}
		const room = Math.min(ptyWindowBytes - underWay(), (next?.offset ?? scrollback.end) - sent);
		if (room <= 0) return false;
		const granted = pace.ask(pump, scrollback.end - sent);
		if (granted === 0) return false;
		const part = scrollback.read(sent, Math.min(room, granted));
		if (!mustAcknowledge()) progressedAtMs = performance.now();
		pace.sent(part.length);
		socket.sendBytes(part);
		sent += part.length;
		return true;
	}

	const viewer: Viewer = {
		socket,
		mayEdit: options.mayEdit,
		get acknowledged() {
			return sent - underWay();
		},
		get progressedAtMs() {
			return progressedAtMs;
		},
		get waitsForPace() {
			return pace.isWaiting(pump) && !mustAcknowledge();
		},
		stalled: false,
		pump,
		acknowledge(offset) {
			if (offset <= acknowledged || offset > sent) return;
			// An offset among what it was never sent stands for all of that.
			const passed = gaps.filter(({ end, bytes }) => offset > end - bytes);
			acknowledged = Math.max(offset, ...passed.map(({ end }) => end));
			gaps = gaps.filter((gap) => !passed.includes(gap));
			progressedAtMs = performance.now();
			viewer.stalled = false;
		},
		skip() {
			const bytes = scrollback.end - sent;
			const last = gaps.at(-1);
			if (last?.end === sent) gaps[gaps.length - 1] = { end: scrollback.end, bytes: last.bytes + bytes };
			else if (bytes > 0) gaps.push({ end: scrollback.end, bytes });
			sent = scrollback.end;
			sendEvent({ type: "skipped", offset: sent });
			pump();
		},
		tell(event) {
			later = later.filter(({ event: earlier }) => !isSuperseded(earlier, event));
			later.push({ offset: scrollback.end, event });
			if (sent >= scrollback.end) pump();
		},
		close() {
			isClosing = true;
			pump();
		},
		gone: () => pace.leave(pump),
	};

	pace.enter(pump);
	const kept = after !== undefined && after >= scrollback.start && after <= scrollback.end;
	beginAt(kept ? after : scrollback.replayStart(replay.mostLines, replay.mostBytes), !kept);
	return viewer;
}

/** Nobody has to hear of it any more: of titles and sizes only the last one counts, of runs each start and end. */
function isSuperseded(earlier: LaterEvent, event: LaterEvent): boolean {
	if (earlier.type !== "state" || event.type !== "state") return earlier.type === event.type;
	return earlier.state.running === event.state.running && earlier.state.startedAtMs === event.state.startedAtMs;
}
