/**
 * After Ctrl-C in a flood, the terminal's own output queue is flushed by the kernel, as on any terminal. But up to a
 * megabyte that the program printed before waits in the engine's pipes, and a browser would have to draw all of it
 * before the prompt. So for that moment output is read as fast as it comes and only its end is kept; the bytes between
 * never get an offset and no client ever sees them.
 */
export interface InterruptDrain {
	readonly active: boolean;
	begin(): void;
	push(bytes: Buffer): void;
	/** Hands out what was kept; harmless when nothing is being drained. */
	finish(): void;
}

/** The pipes between program and holder are empty when nothing came for this long. */
const idleMs = 20;
/** A program that prints on regardless is back under flow control after this much, or this long. */
const mostBytes = 4 * 1024 * 1024;
const mostMs = 200;
/** What is kept of the drained output: the prompt, and a screenful before it. */
const keptBytes = 8 * 1024;

/** @param emit takes the kept end of the output. */
export function createInterruptDrain(emit: (kept: Buffer) => void): InterruptDrain {
	let active = false;
	let kept: Buffer[] = [];
	let keptLength = 0;
	let drained = 0;
	let idle: NodeJS.Timeout | undefined;
	let limit: NodeJS.Timeout | undefined;

	function finish(): void {
		if (!active) return;
		active = false;
		clearTimeout(idle);
		clearTimeout(limit);
		const bytes = Buffer.concat(kept);
		kept = [];
		emit(drained > keptBytes ? cutAtLine(bytes.subarray(-keptBytes)) : bytes);
	}

	return {
		get active() {
			return active;
		},
		begin() {
			if (active) return;
			active = true;
			drained = 0;
			keptLength = 0;
			idle = setTimeout(finish, 3 * idleMs);
			limit = setTimeout(finish, mostMs);
		},
		push(bytes) {
			drained += bytes.length;
			kept.push(bytes);
			keptLength += bytes.length;
			for (let first = kept[0]; first && keptLength - first.length >= keptBytes; first = kept[0]) {
				keptLength -= first.length;
				kept.shift();
			}
			if (drained > mostBytes) return finish();
			clearTimeout(idle);
			idle = setTimeout(finish, idleMs);
		},
		finish,
	};
}

/** Begins after the first line break, so that no character or escape sequence is cut in two. */
function cutAtLine(bytes: Buffer): Buffer {
	const lineEnd = bytes.indexOf(0x0a);
	return lineEnd >= 0 ? bytes.subarray(lineEnd + 1) : bytes;
}
