/**
 * What a PTY printed, addressed by the absolute offset of each byte since the PTY was made. Only the last `mostBytes`
 * are kept, in blocks that are filled once and dropped whole from the front; slices that were handed out stay valid.
 */
export interface Scrollback {
	/** Offset of the oldest byte that is kept. */
	readonly start: number;
	/** Offset that the next byte will get. */
	readonly end: number;
	append(bytes: Uint8Array): void;
	/** Up to `most` bytes from an offset between `start` and `end`, without copying; never crosses a block. */
	read(offset: number, most: number): Buffer;
	/**
	 * Where a replay of at most this many lines and bytes should begin: after a line break where one is near, never
	 * inside a UTF-8 character.
	 */
	replayStart(mostLines: number, mostBytes: number): number;
}

/** An idle shell's prompt should not cost a large block; a flood should not make thousands of small ones. */
const firstBlockBytes = 2 * 1024;
const mostBlockBytes = 64 * 1024;

/** A cut looks this far ahead for a line break before it settles for a character's beginning. */
const lineSearchBytes = 8 * 1024;

const lineFeed = 0x0a;

interface Block {
	readonly offset: number;
	readonly bytes: Buffer;
	used: number;
}

export function createScrollback(mostBytes: number): Scrollback {
	const blocks: Block[] = [];
	let end = 0;

	function startOffset(): number {
		return blocks[0]?.offset ?? end;
	}

	function writableBlock(): Block {
		const last = blocks.at(-1);
		if (last && last.used < last.bytes.length) return last;
		const size = Math.min(mostBlockBytes, last ? last.bytes.length * 2 : firstBlockBytes);
		// Not from Node's shared pool: a slice of it would keep unrelated memory alive.
		const block = { offset: end, bytes: Buffer.allocUnsafeSlow(size), used: 0 };
		blocks.push(block);
		return block;
	}

	function dropOldBlocks(): void {
		for (let first = blocks[0]; first && blocks.length > 1; first = blocks[0]) {
			if (end - (first.offset + first.used) < mostBytes) return;
			blocks.shift();
		}
	}

	/** Index of the block that holds a kept offset; later blocks are asked for most often. */
	function blockAt(offset: number): Block {
		for (let index = blocks.length - 1; index >= 0; index -= 1) {
			const block = blocks[index];
			if (block && block.offset <= offset) return block;
		}
		throw new RangeError(`offset ${offset} is not kept (${startOffset()} to ${end})`);
	}

	function read(offset: number, most: number): Buffer {
		const block = blockAt(offset);
		const from = offset - block.offset;
		return block.bytes.subarray(from, Math.min(block.used, from + most));
	}

	/** First offset at or after this one where text can be cut. */
	function cutAfter(offset: number): number {
		if (offset <= 0 || offset >= end) return Math.min(offset, end);
		const near = read(offset, lineSearchBytes);
		const lineEnd = near.indexOf(lineFeed);
		if (lineEnd >= 0) return offset + lineEnd + 1;
		let skipped = 0;
		while (skipped < Math.min(3, near.length) && ((near[skipped] ?? 0) & 0xc0) === 0x80) skipped += 1;
		return offset + skipped;
	}

	return {
		get start() {
			return startOffset();
		},
		get end() {
			return end;
		},
		append(bytes) {
			for (let taken = 0; taken < bytes.length; ) {
				const block = writableBlock();
				const part = bytes.subarray(taken, taken + block.bytes.length - block.used);
				block.bytes.set(part, block.used);
				block.used += part.length;
				taken += part.length;
				end += part.length;
			}
			dropOldBlocks();
		},
		read,
		replayStart(mostLines, mostReplayBytes) {
			const earliest = Math.max(startOffset(), end - mostReplayBytes);
			let lines = 0;
			for (let index = blocks.length - 1; index >= 0; index -= 1) {
				const block = blocks[index];
				if (!block || block.offset + block.used <= earliest) break;
				for (let at = block.used - 1; at >= 0 && block.offset + at >= earliest; at -= 1) {
					if (block.bytes[at] !== lineFeed) continue;
					lines += 1;
					if (lines > mostLines) return block.offset + at + 1;
				}
			}
			return earliest === 0 ? 0 : cutAfter(earliest);
		},
	};
}
