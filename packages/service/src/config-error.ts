/** The environment does not make a valid configuration; the message lists every problem, one a line. */
export class RepldockConfigError extends Error {
	readonly problems: readonly string[];

	constructor(problems: readonly string[]) {
		super(`The configuration is not valid:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
		this.name = "RepldockConfigError";
		this.problems = problems;
	}
}
