import { RepldockError } from "@repldock/protocol";

/** Takes bytes off a stream in the amounts that a format asks for. */
export interface ByteReader {
	/** Exactly so many. @throws RepldockError `invalid_archive` when the stream ends before. */
	take(bytes: number): Promise<Buffer>;
	/** At least one and at most so many. @throws RepldockError `invalid_archive` at the stream's end. */
	some(most: number): Promise<Buffer>;
	/** What comes first, left where it is; shorter at the stream's end. */
	peek(bytes: number): Promise<Buffer>;
	/** All that is left. */
	rest(): AsyncGenerator<Buffer>;
	/** Lets go of the stream. */
	end(): Promise<void>;
}

export function createByteReader(source: AsyncIterable<Buffer>): ByteReader {
	const chunks = source[Symbol.asyncIterator]();
	let held: Buffer = Buffer.alloc(0);

	async function more(): Promise<boolean> {
		const { done, value } = await chunks.next();
		if (done) return false;
		held = held.length === 0 ? value : Buffer.concat([held, value]);
		return true;
	}

	function cut(bytes: number): Buffer {
		const taken = held.subarray(0, bytes);
		held = held.subarray(taken.length);
		return taken;
	}

	const reader: ByteReader = {
		async take(bytes) {
			while (held.length < bytes) if (!(await more())) throw cutOff();
			return cut(bytes);
		},
		async some(most) {
			while (held.length === 0) if (!(await more())) throw cutOff();
			return cut(most);
		},
		async peek(bytes) {
			while (held.length < bytes && (await more()));
			return held.subarray(0, bytes);
		},
		async *rest() {
			if (held.length > 0) yield cut(held.length);
			while (await more()) yield cut(held.length);
		},
		async end() {
			await chunks.return?.();
		},
	};
	return reader;
}

function cutOff(): RepldockError {
	return new RepldockError("invalid_archive", "The archive ends in the middle. Download or pack it anew.");
}
