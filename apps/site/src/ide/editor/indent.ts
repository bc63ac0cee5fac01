/** Lines that are looked at; the first ones of a file speak for it. */
const linesLookedAt = 400;

/** Languages whose own tools write tabs, by ending. */
const tabbed = /\.(go|mk)$|(^|\/)makefile$/i;
const twoSpaces = /\.(jsx?|tsx?|mjs|cjs|json|html?|css|scss|ya?ml|rb|lua|md|toml)$/i;

/** How a file is indented: as it is already, else as its language is by custom. */
export function detectIndent(text: string, path: string): { unit: string; tabSize: number } {
	let tabs = 0;
	const steps = new Map<number, number>();
	let before = 0;
	for (const line of text.split("\n", linesLookedAt)) {
		if (line.trim() === "") continue;
		if (line.startsWith("\t")) {
			tabs++;
			continue;
		}
		const spaces = line.length - line.trimStart().length;
		const step = spaces - before;
		if (step === 2 || step === 4 || step === 8) steps.set(step, (steps.get(step) ?? 0) + 1);
		before = spaces;
	}
	const [best] = [...steps].sort((a, b) => b[1] - a[1]);
	if (tabs > (best?.[1] ?? 0)) return { unit: "\t", tabSize: 4 };
	if (best) return { unit: " ".repeat(best[0]), tabSize: best[0] };
	if (tabbed.test(path)) return { unit: "\t", tabSize: 4 };
	const size = twoSpaces.test(path) ? 2 : 4;
	return { unit: " ".repeat(size), tabSize: size };
}
