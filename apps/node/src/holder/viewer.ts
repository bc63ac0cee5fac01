import {
	type PtyEvent,
	type PtySize,
	type PtyState,
	ptyAcknowledgeEveryBytes,
	ptyWindowBytes,
} from "@repldock/protocol";
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
 * `ptyWindowBytes` beyond what it acknowledged, so its socket's buffer is bounded.
 */
export interface Viewer {
	readonly socket: ViewerSocket;
	/** May type and resize. */
	readonly mayEdit: boolean;
	/** It has processed all output up to here. */
	readonly acknowledged: number;
	/** When it last acknowledged something new (or was attached), on the clock of `performance.now()`. */
	readonly progressedAtMs: number;
	/** It did not keep up for so long that nobody waits for it; set by the flow control, cleared by its next progress. */
	stalled: boolean;
	/** Sends what the window has room for. */
	pump(): void;
	acknowledge(offset: number): void;
	/** Leaves out what it was not sent yet, and lets it leave out what it has not processed. */
	skip(): void;
	tell(event: PtyEvent): void;
}

export interface ViewerOptions {
	socket: ViewerSocket;
	scrollback: Scrollback;
	mayEdit: boolean;
	/** Offset that the client has all output up to; undefined for a client that has none. */
	after: number | undefined;
	replay: { mostLines: number; mostBytes: number };
	describe(): { state: PtyState; size: PtySize };
}

/** Attaches: the first frame says where the output that follows begins. */
export function createViewer(options: ViewerOptions): Viewer {
	const { socket, scrollback, replay, after, describe } = options;
	let sent = 0;
	let acknowledged = 0;
	let progressedAtMs = performance.now();

	function beginAt(offset: number, reset: boolean): void {
		sent = offset;
		acknowledged = offset;
		tell({ type: "attached", offset, end: scrollback.end, reset, ...describe() });
	}

	function tell(event: PtyEvent): void {
		socket.sendText(JSON.stringify(event));
	}

	const viewer: Viewer = {
		socket,
		mayEdit: options.mayEdit,
		get acknowledged() {
			return acknowledged;
		},
		get progressedAtMs() {
			return progressedAtMs;
		},
		stalled: false,
		pump() {
			if (sent < scrollback.start) {
				// Its next bytes are gone. It is shown the newest ones once it has processed what is under way.
				if (sent - acknowledged >= ptyAcknowledgeEveryBytes) return;
				beginAt(scrollback.replayStart(replay.mostLines, resynchroniseBytes), true);
			}
			while (sent < scrollback.end) {
				const room = ptyWindowBytes - (sent - acknowledged);
				if (room <= 0) return;
				const part = scrollback.read(sent, room);
				socket.sendBytes(part);
				sent += part.length;
			}
		},
		acknowledge(offset) {
			if (offset <= acknowledged || offset > sent) return;
			acknowledged = offset;
			progressedAtMs = performance.now();
			viewer.stalled = false;
		},
		skip() {
			sent = scrollback.end;
			tell({ type: "skipped", offset: sent });
		},
		tell,
	};

	const kept = after !== undefined && after >= scrollback.start && after <= scrollback.end;
	beginAt(kept ? after : scrollback.replayStart(replay.mostLines, replay.mostBytes), !kept);
	return viewer;
}
