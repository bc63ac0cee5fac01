import { reservedSlugs, slugPattern } from "@repldock/protocol/constants";
import fc from "fast-check";
import { expect, test } from "vitest";
import { chooseNode } from "../src/domain/placement.ts";
import { slugFromName, slugProposals } from "../src/domain/slug.ts";

function isValid(slug: string): boolean {
	return slugPattern.test(slug) && !reservedSlugs.includes(slug);
}

test("a slug made from any name is valid, and so is every proposal", () => {
	fc.assert(
		fc.property(
			fc.string({ unit: "binary", maxLength: 60 }),
			fc.constantFrom("python", "node-web"),
			(name, template) => {
				const base = slugFromName(name, template);
				expect(isValid(base)).toBe(true);
				const proposals = slugProposals(base);
				for (let count = 0; count < 6; count++) expect(isValid(String(proposals.next().value))).toBe(true);
			},
		),
	);
	for (const reserved of reservedSlugs) expect(isValid(slugFromName(reserved, "python"))).toBe(true);
	expect(isValid(slugFromName(`${"a".repeat(39)}-b`, "python"))).toBe(true);
	expect(slugFromName("🦊", "python")).toBe("python");
	expect(slugFromName("Mon café  à Paris!", "python")).toBe("mon-cafe-a-paris");
});

test("a project goes to the node with the smallest share of its slots in use", () => {
	const small = { id: "a", slots: 10, running: 5, placed: 5 };
	const large = { id: "b", slots: 100, running: 20, placed: 90 };
	expect(chooseNode([small, large])).toBe(large);
	expect(chooseNode([small, { ...large, running: 50, placed: 10 }])?.id).toBe("b");
	expect(chooseNode([])).toBeNull();
});
