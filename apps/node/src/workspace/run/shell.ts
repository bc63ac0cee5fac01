/** One word for the shell, whatever is in the text. */
export function quote(text: string): string {
	return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

export function quoteAll(words: readonly string[]): string {
	return words.map(quote).join(" ");
}

/** A path that no program takes for an option. */
export function asFile(path: string): string {
	return /^[-+@]/.test(path) ? `./${path}` : path;
}

/** Runs one script after the other and stops at the first that fails. */
export function sequence(scripts: readonly string[]): string {
	return scripts.length === 1 ? (scripts[0] ?? "") : scripts.map(isolated).join(" && ");
}

/**
 * Runs scripts side by side, each with the terminal as its input (which a shell takes from background jobs). Each
 * reports its exit code through a pipe; the first that is not 0 ends the whole, and the holder ends what is left.
 */
export function parallel(scripts: readonly string[]): string {
	if (scripts.length < 2) return sequence(scripts);
	const started = scripts.map((script) => `(${isolated(script)} <&3 >&4 3<&- 4>&-; echo "$?") &`);
	const ended = 'while read -r code; do [ "$code" = 0 ] || exit "$code"; done';
	return ["exec 3<&0 4>&1", `${ended} < <(`, ...started, ")"].join("\n");
}

/** A script of its own, so that what it defines, sets or leaves open touches no other. */
function isolated(script: string): string {
	return `/bin/bash -c ${quote(script)}`;
}
