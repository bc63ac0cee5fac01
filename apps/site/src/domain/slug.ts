import { reservedSlugs, slugPattern } from "@repldock/protocol/constants";

/** Short of the 48 that a slug may have, so that a suffix fits. */
const baseMaxLength = 40;

function isUsable(slug: string): boolean {
	return slugPattern.test(slug) && !reservedSlugs.includes(slug);
}

/** A slug made from a project's name; from the fallback (a template's id) when the name has no letter that fits. */
export function slugFromName(name: string, fallback: string): string {
	const reduce = (text: string) =>
		text
			.normalize("NFKD")
			.toLowerCase()
			// Marks that stood over letters go with no trace: "é" is "e", not "e-".
			.replace(/\p{M}/gu, "")
			.replace(/[^a-z0-9]+/g, "-")
			.slice(0, baseMaxLength)
			.replace(/^-+|-+$/g, "");
	const slug = reduce(name) || reduce(fallback) || "project";
	return isUsable(slug) ? slug : `${slug}-app`;
}

/**
 * Slugs to try in turn, from the wanted one on: a few with small numbers, which people like to read, then random ones,
 * which are free however many people ask for the same at once.
 * @param random returns a number from 0 (included) to 1 (excluded).
 */
export function* slugProposals(base: string, random: () => number = Math.random): Generator<string> {
	if (isUsable(base)) yield base;
	const stem = base.slice(0, baseMaxLength).replace(/-+$/, "");
	for (let number = 2; number <= 4; number++) yield `${stem}-${number}`;
	for (;;) {
		const suffix = Math.floor(random() * 36 ** 5)
			.toString(36)
			.padStart(5, "0");
		yield `${stem}-${suffix}`;
	}
}
