/** Colours where a person reads, none in files and pipes. */
const coloured = process.stderr.isTTY && !process.env.NO_COLOR;
const paint = (code: number) => (text: string) => (coloured ? `\u001b[${code}m${text}\u001b[0m` : text);

export const bold = paint(1);
export const dim = paint(2);
export const green = paint(32);
export const red = paint(31);
export const yellow = paint(33);

/** Progress goes to standard error, so that standard output holds results alone. */
export function say(line = ""): void {
	process.stderr.write(`${line}\n`);
}

export function print(line = ""): void {
	process.stdout.write(`${line}\n`);
}

/** Left-aligned columns. */
export function table(rows: readonly (readonly string[])[]): string {
	const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
	return rows
		.map((row) =>
			row
				.map((cell, column) => cell.padEnd(widths[column] ?? 0))
				.join("  ")
				.trimEnd(),
		)
		.join("\n");
}
