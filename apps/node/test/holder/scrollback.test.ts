import fc from "fast-check";
import { expect, test } from "vitest";
import { createScrollback } from "../../src/holder/scrollback.ts";
import { createTitleReader } from "../../src/holder/title.ts";

const pieces = fc.array(fc.uint8Array({ maxLength: 9000 }), { maxLength: 30 });

test("what is read from any kept offset is what was printed there, and no more than asked is kept", () => {
	fc.assert(
		fc.property(pieces, fc.integer({ min: 1, max: 50_000 }), (printed, most) => {
			const scrollback = createScrollback(most);
			for (const piece of printed) scrollback.append(piece);
			const all = Buffer.concat(printed);
			expect(scrollback.end).toBe(all.length);
			// Whole blocks are dropped, so one more may be kept.
			expect(scrollback.end - scrollback.start).toBeLessThanOrEqual(most + 64 * 1024);
			if (all.length > most) expect(scrollback.end - scrollback.start).toBeGreaterThanOrEqual(most);
			const read: Buffer[] = [];
			for (let at = scrollback.start; at < scrollback.end; ) {
				const part = scrollback.read(at, 1000);
				read.push(part);
				at += part.length;
			}
			expect(Buffer.concat(read).equals(all.subarray(scrollback.start))).toBe(true);
		}),
		{ numRuns: 100 },
	);
});

test("a replay begins at a line, and has at most the lines asked for", () => {
	const scrollback = createScrollback(1024 * 1024);
	for (let line = 1; line <= 500; line += 1) scrollback.append(Buffer.from(`line ${line}\r\n`));
	const from = scrollback.replayStart(10, 1024 * 1024);
	expect(scrollback.read(from, 1000).toString().split("\r\n").slice(0, -1)).toHaveLength(10);
	const cut = scrollback.replayStart(10_000, 25);
	expect(scrollback.read(cut, 1000).toString()).toMatch(/^line \d+\r\n/);
});

test("a replay of one long line begins at a whole character", () => {
	const scrollback = createScrollback(1000);
	for (let count = 0; count < 5000; count += 1) scrollback.append(Buffer.from("€😀"));
	for (let most = 900; most < 910; most += 1) {
		const text = scrollback.read(scrollback.replayStart(10, most), 60).toString();
		expect(["€", "😀"]).toContain([...text][0]);
	}
});

test("a title is found however its sequence is cut, and never more than the last one", () => {
	const output = Buffer.from("before\x1b]0;first\x07middle\x1b]2;second é\x1b\\after\x1b]4;1;rgb\x07\x1b[0m");
	for (let cut = 0; cut <= output.length; cut += 1) {
		const read = createTitleReader();
		const titles = [read(output.subarray(0, cut)), read(output.subarray(cut))].filter((title) => title !== null);
		expect(titles.at(-1)).toBe("second é");
	}
});

test("an endless title is cut, and later ones are found", () => {
	const read = createTitleReader();
	read(Buffer.from("\x1b]0;"));
	for (let count = 0; count < 1000; count += 1) {
		expect(read(Buffer.from("x".repeat(100)))?.length ?? 0).toBeLessThanOrEqual(200);
	}
	expect(read(Buffer.from("\x1b]0;ok\x07"))).toBe("ok");
});
