import { stripVTControlCharacters } from "node:util";

const lineMostCharacters = 300;

/**
 * The last lines of a terminal's output as plain text: without colours and other control characters, a line that was
 * drawn over again as it was at last.
 */
export function lastLines(output: string, most: number): string[] {
	const lines = stripVTControlCharacters(output)
		.split(/\r*\n/)
		.map((line) =>
			(line.split("\r").at(-1) ?? "")
				.replaceAll("\t", "  ")
				.replaceAll(/\p{Cc}/gu, "")
				.trimEnd(),
		);
	while (lines.at(-1) === "") lines.pop();
	return lines.slice(-most).map((line) => line.slice(0, lineMostCharacters));
}
