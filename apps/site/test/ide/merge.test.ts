import fc from "fast-check";
import { expect, test } from "vitest";
import { differingSpan, diffLines, mergeTexts } from "../../src/ide/documents/merge.ts";

const lines = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 12 });

test("hunks lead from one list to the other", () => {
	fc.assert(
		fc.property(lines, lines, (from, to) => {
			const result: string[] = [];
			let at = 0;
			for (const hunk of diffLines(from, to)) {
				result.push(...from.slice(at, hunk.start), ...hunk.lines);
				at = hunk.end;
			}
			result.push(...from.slice(at));
			expect(result).toEqual(to);
		}),
	);
});

test("when only one side changed, its text is the result", () => {
	fc.assert(
		fc.property(lines, lines, (from, to) => {
			const [base, changed] = [from.join("\n"), to.join("\n")];
			expect(mergeTexts(base, changed, base)).toBe(changed);
			expect(mergeTexts(base, base, changed)).toBe(changed);
			expect(mergeTexts(base, changed, changed)).toBe(changed);
		}),
	);
});

test("edits in different places come together", () => {
	expect(mergeTexts("1\n2\n3\n4\n5", "one\n2\n3\n4\n5", "1\n2\n3\n4\nfive")).toBe("one\n2\n3\n4\nfive");
});

test("a line that was half saved is not doubled", () => {
	expect(mergeTexts("x = \ny", 'x = "hello"\ny', 'x = "he\ny')).toBe('x = "hello"\ny');
});

test("two different edits of one line are both kept", () => {
	expect(mergeTexts("a\nb\nc", "a\nmine\nc", "a\ntheirs\nc")).toBe("a\ntheirs\nmine\nc");
});

test("the differing span is all that need be replaced", () => {
	fc.assert(
		fc.property(fc.string(), fc.string(), (from, to) => {
			const { start, deleted, inserted } = differingSpan(from, to);
			expect(from.slice(0, start) + inserted + from.slice(start + deleted)).toBe(to);
		}),
	);
});
