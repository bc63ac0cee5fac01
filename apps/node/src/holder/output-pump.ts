/** Output that follows other output within this time is gathered, so that a flood makes few and large frames. */
const gatherMs = 4;
/** So much output is sent without waiting for more. */
const sendAtBytes = 64 * 1024;

export interface OutputPump {
	schedule(bytes: number): void;
	/** Sends now what was gathered: what is told next comes after it. */
	flush(): void;
	dispose(): void;
}

/**
 * Calls `send` for output that was printed: at once for the first after a pause, so that a keystroke's echo waits for
 * nothing; under load every few milliseconds or when there is enough for a large frame.
 */
export function createOutputPump(send: () => void): OutputPump {
	let lastSentAtMs = Number.NEGATIVE_INFINITY;
	let pendingBytes = 0;
	let timer: NodeJS.Timeout | undefined;

	function sendNow(): void {
		clearTimeout(timer);
		timer = undefined;
		pendingBytes = 0;
		lastSentAtMs = performance.now();
		send();
	}

	return {
		schedule(bytes) {
			pendingBytes += bytes;
			const sinceMs = performance.now() - lastSentAtMs;
			if (sinceMs >= gatherMs || pendingBytes >= sendAtBytes) sendNow();
			else timer ??= setTimeout(sendNow, gatherMs - sinceMs);
		},
		flush() {
			if (timer) sendNow();
		},
		dispose: () => clearTimeout(timer),
	};
}
