import { execFileSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

/** One measured promise. `value` is a median in `unit`; `ratio` compares it with the baseline of the same run. */
export interface Figure {
	name: string;
	value: number;
	unit: string;
	p95?: number;
	runs: number;
	baseline?: number;
	ratio?: number;
	/** For example `<= 1.5 x`. */
	goal?: string;
	met?: boolean;
}

/** Prints the figures: a table for people, or one JSON line with `--json`. */
export function report(bench: string, figures: Figure[]): void {
	const result = {
		bench,
		commit: git("rev-parse", "--short", "HEAD"),
		date: new Date().toISOString(),
		machine: { cores: cpus().length, memoryBytes: totalmem(), kernel: release(), engine: engineVersion() },
		figures: figures.map(rounded),
	};
	if (process.argv.includes("--json")) {
		process.stdout.write(`${JSON.stringify(result)}\n`);
		return;
	}
	const gibibytes = (result.machine.memoryBytes / 1024 ** 3).toFixed(0);
	process.stdout.write(
		`${bench} at ${result.commit}, ${result.date}, ${result.machine.cores} cores, ${gibibytes} GiB, kernel ${result.machine.kernel}\n`,
	);
	for (const { name, value, unit, p95, runs, baseline, ratio, goal, met } of result.figures) {
		const parts = [
			`${name}: ${value} ${unit}`,
			p95 === undefined ? "" : `p95 ${p95}`,
			`${runs} runs`,
			baseline === undefined ? "" : `baseline ${baseline}`,
			ratio === undefined ? "" : `ratio ${ratio}`,
			goal === undefined ? "" : `goal ${goal}: ${met ? "met" : "NOT met"}`,
		];
		process.stdout.write(`  ${parts.filter(Boolean).join(", ")}\n`);
	}
}

function rounded(figure: Figure): Figure {
	const round = (value: number) => Number(value.toPrecision(4));
	const result = { ...figure, value: round(figure.value) };
	if (figure.p95 !== undefined) result.p95 = round(figure.p95);
	if (figure.baseline !== undefined) result.baseline = round(figure.baseline);
	if (figure.ratio !== undefined) result.ratio = round(figure.ratio);
	return result;
}

function git(...commandArguments: string[]): string {
	const directory = fileURLToPath(new URL("../..", import.meta.url));
	return execFileSync("git", commandArguments, { cwd: directory, encoding: "utf8" }).trim();
}

function engineVersion(): string {
	return execFileSync("dockerd", ["--version"], { encoding: "utf8" }).trim();
}

export function median(values: readonly number[]): number {
	return quantile(values, 0.5);
}

/** Linear interpolation between the two nearest values. @throws Error for no values. */
export function quantile(values: readonly number[], share: number): number {
	const sorted = values.toSorted((a, b) => a - b);
	const position = (sorted.length - 1) * share;
	const below = sorted[Math.floor(position)];
	const above = sorted[Math.ceil(position)];
	if (below === undefined || above === undefined) throw new Error("a quantile of no values");
	return below + (above - below) * (position - Math.floor(position));
}

/** A figure whose goal is an upper bound of the ratio to the baseline. */
export function compared(
	name: string,
	subject: readonly number[],
	baseline: readonly number[],
	unit: string,
	mostRatio: number,
): Figure {
	const ratio = median(subject) / median(baseline);
	return {
		name,
		value: median(subject),
		unit,
		p95: quantile(subject, 0.95),
		runs: subject.length,
		baseline: median(baseline),
		ratio,
		goal: `<= ${mostRatio} x`,
		met: ratio <= mostRatio,
	};
}
