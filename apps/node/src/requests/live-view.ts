import type { AppRequest } from "@repldock/protocol";

/** Requests of one moment are sent together. */
const togetherMs = 250;
/** More than a person can read; what comes above it is told as a number. */
export const shownPerSecond = 50;

/** What one viewer is sent of a project's requests, however many there are. */
export interface LiveView {
	/** @param ends WebSockets that were sent as open before and are over; they are always sent. */
	add(requests: readonly AppRequest[], more: number, ends: readonly AppRequest[]): void;
	close(): void;
}

export function createLiveView(send: (requests: AppRequest[], more: number) => void): LiveView {
	let waiting: AppRequest[] = [];
	let ended: AppRequest[] = [];
	let more = 0;
	let timer: NodeJS.Timeout | undefined;
	/** How many may be sent now; it fills up with time. */
	let room = shownPerSecond;
	let filledAtMs = performance.now();

	function flush() {
		timer = undefined;
		const nowMs = performance.now();
		room = Math.min(shownPerSecond, room + ((nowMs - filledAtMs) / 1000) * shownPerSecond);
		filledAtMs = nowMs;
		const most = Math.floor(room);
		// The newest are the ones that say what goes on now.
		const shown = most === 0 ? [] : waiting.slice(-most);
		room -= shown.length;
		const left = more + waiting.length - shown.length;
		const requests = [...shown, ...ended];
		waiting = [];
		ended = [];
		more = 0;
		send(requests, left);
	}

	return {
		add(requests, unrecorded, ends) {
			waiting.push(...requests);
			ended.push(...ends);
			more += unrecorded;
			if (waiting.length > shownPerSecond) more += waiting.splice(0, waiting.length - shownPerSecond).length;
			timer ??= setTimeout(flush, togetherMs);
		},
		close() {
			clearTimeout(timer);
		},
	};
}
