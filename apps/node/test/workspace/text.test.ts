import fc from "fast-check";
import { expect, test } from "vitest";
import { diffText } from "../../src/workspace/documents/diff-text.ts";
import { decodeText, encodeText, followEdits } from "../../src/workspace/documents/text-format.ts";

const piece = fc.constantFrom("a", "bc", "\n", "\r\n", "\r", "é", "🦊", "🐻", " ");
const anyText = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(""));

function apply(text: string, edits: ReturnType<typeof diffText>): string {
	return edits.reduceRight(
		(result, { index, remove, insert }) => result.slice(0, index) + insert + result.slice(index + remove),
		text,
	);
}

test("edits turn the one text into the other and never cut a character in two", () => {
	fc.assert(
		fc.property(anyText, anyText, (before, after) => {
			const edits = diffText(before, after);
			expect(apply(before, edits)).toBe(after);
			for (const { insert } of edits) expect(insert.isWellFormed()).toBe(true);
		}),
	);
});

test("huge differences are found in bounded time, and small ones in huge texts exactly", () => {
	const line = (seed: number) => `${seed} ${(seed * 7919) % 10_007}\n`;
	const many = Array.from({ length: 100_000 }, (_, index) => line(index)).join("");
	const others = Array.from({ length: 100_000 }, (_, index) => line(index * 3 + 1)).join("");
	const startedAtMs = performance.now();
	expect(apply(many, diffText(many, others))).toBe(others);
	expect(performance.now() - startedAtMs).toBeLessThan(30_000);
	const [edit, ...more] = diffText(many, `${many.slice(0, 500_000)}X${many.slice(500_000)}`);
	expect([edit, more]).toEqual([{ index: 500_000, remove: 0, insert: "X" }, []]);
});

test("every text file comes back byte for byte", () => {
	fc.assert(
		fc.property(anyText, fc.boolean(), (raw, marked) => {
			const bytes = Buffer.from((marked ? "\ufeff" : "") + raw);
			const { text, format } = decodeText(bytes);
			expect(text).not.toContain("\r");
			expect(Buffer.from(encodeText(text, format))).toEqual(bytes);
		}),
	);
});

test("line endings follow their lines through edits", () => {
	const { text, format } = decodeText(Buffer.from("one\r\ntwo\nthree\r\nfour\r"));
	const edited = text.replace("two\n", "").replace("four", "3\nfour");
	const bytes = encodeText(edited, followEdits(format, text, edited));
	expect(Buffer.from(bytes).toString()).toBe("one\r\nthree\r\n3\r\nfour\r");
});
