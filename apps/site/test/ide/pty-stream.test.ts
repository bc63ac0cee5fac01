import { ptyAcknowledgeEveryBytes, ptyWindowBytes } from "@repldock/protocol/constants";
import { expect, test } from "vitest";
import { batchBytes, createPtyStream, mostInFlightBytes } from "../../src/ide/terminal/pty-stream.ts";

/** A terminal that processes what it was given when it is told to. */
function createSlowTerminal() {
	const waiting: { bytes: Uint8Array; processed: () => void }[] = [];
	const acknowledged: number[] = [];
	let printed = "";
	const stream = createPtyStream({
		write: (bytes, processed) => waiting.push({ bytes, processed }),
		reset: () => {
			printed = "";
		},
		acknowledge: (offset) => acknowledged.push(offset),
	});
	return {
		stream,
		acknowledged,
		printed: () => printed,
		waitingBytes: () => waiting.reduce((sum, { bytes }) => sum + bytes.length, 0),
		processOne() {
			const next = waiting.shift();
			if (!next) return false;
			if (next.bytes.length < 100) printed += new TextDecoder().decode(next.bytes);
			next.processed();
			return true;
		},
	};
}

const bytes = (text: string) => new TextEncoder().encode(text);

test("a flood waits outside of the terminal, in bounded batches", () => {
	const { stream, waitingBytes, processOne } = createSlowTerminal();
	stream.attached(0, false);
	for (let chunk = 0; chunk < 8; chunk++) stream.output(new Uint8Array(ptyWindowBytes / 8));
	expect(waitingBytes()).toBeLessThanOrEqual(mostInFlightBytes + batchBytes);
	let total = 0;
	while (waitingBytes() > 0) {
		const before = waitingBytes();
		processOne();
		total++;
		expect(before).toBeLessThanOrEqual(mostInFlightBytes + batchBytes);
	}
	expect(total).toBeGreaterThanOrEqual(8);
});

test("only what the terminal has processed is acknowledged, often enough that the holder never waits for ever", () => {
	const { stream, acknowledged, processOne } = createSlowTerminal();
	stream.attached(0, false);
	for (let sent = 0; sent < 4 * ptyWindowBytes; sent += 10_000) {
		stream.output(new Uint8Array(10_000));
		expect(acknowledged.at(-1) ?? 0).toBeLessThanOrEqual(stream.received());
	}
	const beforeAny = acknowledged.length;
	expect(beforeAny).toBe(0);
	while (processOne()) {
		// All of it.
	}
	const gaps = acknowledged.map((offset, index) => offset - (acknowledged[index - 1] ?? 0));
	expect(Math.max(...gaps)).toBeLessThanOrEqual(ptyAcknowledgeEveryBytes + batchBytes);
	expect(stream.received() - (acknowledged.at(-1) ?? 0)).toBeLessThan(ptyAcknowledgeEveryBytes);
});

test("after Ctrl-C in a flood what waits outside of the terminal is left out, and offsets stay true", () => {
	const { stream, acknowledged, waitingBytes, processOne } = createSlowTerminal();
	stream.attached(0, false);
	stream.output(new Uint8Array(ptyWindowBytes));
	const handedOver = waitingBytes();
	const later = ptyWindowBytes + 30_000;
	stream.skipped(later);
	stream.output(new Uint8Array(ptyAcknowledgeEveryBytes));
	expect(waitingBytes()).toBeLessThanOrEqual(handedOver + batchBytes);
	while (processOne()) {
		// All that is left.
	}
	expect(stream.received()).toBe(later + ptyAcknowledgeEveryBytes);
	const last = acknowledged.at(-1) ?? 0;
	expect(last).toBeGreaterThan(later);
	expect(last).toBeLessThanOrEqual(stream.received());
	expect(stream.received() - last).toBeLessThan(ptyAcknowledgeEveryBytes);
});

test("after a lost connection the output goes on behind the last byte received", () => {
	const { stream, printed, processOne } = createSlowTerminal();
	stream.attached(0, false);
	stream.output(bytes("one "));
	expect(stream.received()).toBe(4);
	stream.attached(4, false);
	stream.output(bytes("two"));
	while (processOne()) {
		// All of it.
	}
	expect(printed()).toBe("one two");
});

test("a reset empties the terminal after what was under way, and before what follows", () => {
	const { stream, printed, processOne, acknowledged } = createSlowTerminal();
	stream.attached(0, false);
	stream.output(bytes("old"));
	stream.attached(1_000_000, true);
	stream.output(bytes("new"));
	expect(stream.received()).toBe(1_000_003);
	while (processOne()) {
		// All of it.
	}
	expect(printed()).toBe("new");
	expect(acknowledged).toEqual([]);
});
