/**
 * As much of XML as S3 speaks: elements without attributes that matter, no mixed content. Keys of ours are ASCII without
 * any special character; those of others in the bucket arrive with entities.
 */
const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** The insides of all elements of this name, in order; elements of one name never hold each other here. */
export function elements(xml: string, name: string): string[] {
	return [...xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>(.*?)</${name}>`, "gs"))].map((match) => match[1] ?? "");
}

/** The text of the first element of this name. */
export function text(xml: string, name: string): string | undefined {
	return elements(xml, name)[0]?.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hexadecimal, word) => {
		const point = decimal ? Number(decimal) : hexadecimal ? Number.parseInt(hexadecimal, 16) : undefined;
		if (point === undefined) return entities[word] ?? whole;
		return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
	});
}
