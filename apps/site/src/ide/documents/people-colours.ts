/** Readable on light and dark; one per person by a hash of the name, so that everybody sees the same. */
const colours = ["#d9480f", "#2b8a3e", "#1971c2", "#9c36b5", "#c2255c", "#0b7285", "#5f3dc4", "#a06a00"] as const;

export function colourOf(name: string): string {
	let hash = 0;
	for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
	return colours[hash % colours.length] ?? colours[0];
}
