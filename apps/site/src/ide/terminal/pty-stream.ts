import { ptyAcknowledgeEveryBytes } from "@repldock/protocol/constants";

/**
 * Bytes handed to the terminal and not yet processed by it. More could not be left out any more after Ctrl-C; fewer
 * would let it run dry between timers.
 */
export const mostInFlightBytes = 64 * 1024;
/** The terminal gets at most this much at once, so that it tells often what it has processed. */
export const batchBytes = 16 * 1024;

/**
 * Output of one PTY on its way into a terminal. Keeps two offsets: what was received (where a new connection goes on)
 * and what the terminal has processed (what is acknowledged, so that a flood waits at the node and not in the page).
 */
export type PtyStream = {
	/** A connection begins: what follows starts at `offset`; `reset` when that is not where the last one left off. */
	attached(offset: number, reset: boolean): void;
	output(bytes: Uint8Array): void;
	/** A flood was interrupted: what waits here is left out, and what follows starts at `offset`. */
	skipped(offset: number): void;
	/** Offset behind the last byte received. */
	received(): number;
};

type Options = {
	/** Writes to the terminal; `processed` is called when it has dealt with the bytes. */
	write(bytes: Uint8Array, processed: () => void): void;
	/** Empties the terminal; what was printed before is not in the output that follows. */
	reset(): void;
	acknowledge(offset: number): void;
};

export function createPtyStream(options: Options): PtyStream {
	let received = 0;
	let processed = 0;
	let acknowledged = 0;
	let inFlight = 0;
	let queue: Uint8Array[] = [];
	/** Where output goes on after a reset that waits for the bytes in flight. */
	let resetTo: number | null = null;

	function pump(): void {
		if (resetTo !== null) {
			if (inFlight > 0) return; // What was written before must not appear after the reset.
			options.reset();
			processed = resetTo;
			acknowledged = resetTo;
			resetTo = null;
		}
		while (inFlight < mostInFlightBytes) {
			const chunk = queue.shift();
			if (!chunk) return;
			const batch = chunk.subarray(0, batchBytes);
			if (batch.length < chunk.length) queue.unshift(chunk.subarray(batchBytes));
			inFlight += batch.length;
			options.write(batch, () => {
				inFlight -= batch.length;
				processed += batch.length;
				acknowledge();
				pump();
			});
		}
	}

	/** Seldom, since each is a message of its own; the next batch must not carry it over what was promised. */
	function acknowledge(): void {
		if (resetTo !== null || processed - acknowledged < ptyAcknowledgeEveryBytes - batchBytes) return;
		acknowledged = processed;
		options.acknowledge(processed);
	}

	return {
		attached(offset, reset) {
			if (reset || offset !== received) {
				queue = [];
				resetTo = offset;
				received = offset;
			} else {
				// The holder of this connection knows of no acknowledgement yet.
				acknowledged = processed;
				if (processed > 0) options.acknowledge(processed);
			}
			pump();
		},
		output(bytes) {
			received += bytes.length;
			queue.push(bytes);
			pump();
		},
		skipped(offset) {
			queue = [];
			received = offset;
			if (resetTo !== null) resetTo = offset;
			else processed = offset - inFlight;
			acknowledge();
		},
		received: () => received,
	};
}
