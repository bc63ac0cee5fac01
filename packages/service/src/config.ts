import { RepldockConfigError } from "./config-error.ts";

/** One option: where it is set, what it means, what it is when nobody sets it, and how its text becomes a value. */
export interface Option<T> {
	/** Environment variable. */
	readonly variable: string;
	/** Text of the default, parsed like any other; `undefined` when the option has none and must be set. */
	readonly fallback: string | undefined;
	/** @throws Error with a sentence when the text is not valid. */
	readonly parse: (text: string) => T;
	readonly description: string;
	/** Its value must not be printed. */
	readonly secret?: boolean;
}

export type OptionTable = Record<string, Option<unknown>>;
export type Config<Table extends OptionTable> = {
	readonly [Name in keyof Table]: Table[Name] extends Option<infer T> ? T : never;
};

/**
 * Reads a whole table from the environment.
 * @throws RepldockConfigError that names every wrong or missing option at once.
 */
export function readConfig<Table extends OptionTable>(
	table: Table,
	environment: Record<string, string | undefined>,
): Config<Table> {
	const values: Record<string, unknown> = {};
	const problems: string[] = [];
	for (const [name, option] of Object.entries(table)) {
		const text = environment[option.variable] ?? option.fallback;
		if (text === undefined) {
			problems.push(`${option.variable} is not set: ${option.description}`);
			continue;
		}
		try {
			values[name] = option.parse(text);
		} catch (error) {
			const shown = option.secret ? "its value" : JSON.stringify(text);
			problems.push(`${option.variable}: ${shown} ${error instanceof Error ? error.message : "is not valid"}`);
		}
	}
	if (problems.length > 0) throw new RepldockConfigError(problems);
	return values as Config<Table>;
}

/** Parsers for option tables. Each throws an Error whose message completes the sentence "<text> …". */
export const parse = {
	text: (text: string): string => text,

	/** An empty text means "not set". */
	optionalText: (text: string): string | undefined => (text === "" ? undefined : text),

	boolean(text: string): boolean {
		if (["1", "true", "yes", "on"].includes(text)) return true;
		if (["0", "false", "no", "off"].includes(text)) return false;
		throw new Error("is neither true nor false");
	},

	integer:
		(least: number, most: number) =>
		(text: string): number => {
			const value = Number(text);
			if (!/^-?\d+$/.test(text) || value < least || value > most) {
				throw new Error(`is not a whole number from ${least} to ${most}`);
			}
			return value;
		},

	number:
		(least: number, most: number) =>
		(text: string): number => {
			const value = Number(text);
			if (text.trim() === "" || !(value >= least && value <= most)) {
				throw new Error(`is not a number from ${least} to ${most}`);
			}
			return value;
		},

	/** `512M`, `1G`, `65536`: bytes with a binary suffix. */
	bytes(text: string): number {
		const match = /^(\d+)([KMGT]?)$/.exec(text);
		if (!match) throw new Error("is not a size such as 512M or 1G");
		return Number(match[1]) * 1024 ** " KMGT".indexOf(match[2] || " ");
	},

	/** `1gbit`, `2.5gbit`, `500mbit`: bits per second with a decimal unit. */
	bitRate(text: string): number {
		const match = /^(\d+(?:\.\d+)?)(k|m|g|t)bit$/i.exec(text);
		const unit = { k: 1e3, m: 1e6, g: 1e9, t: 1e12 }[match?.[2]?.toLowerCase() as "k" | "m" | "g" | "t"];
		const rate = Math.round(Number(match?.[1]) * unit);
		// The kernel's tables end below and above.
		if (!(rate >= 64e3 && rate <= 1e12)) throw new Error("is not a bit rate such as 500mbit or 1gbit");
		return rate;
	},

	/** `500ms`, `30s`, `10m`, `12h`, `7d` as milliseconds. */
	duration(text: string): number {
		const match = /^(\d+)(ms|s|m|h|d)$/.exec(text);
		if (!match) throw new Error("is not a time such as 30s, 10m or 7d");
		const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as "ms" | "s" | "m" | "h" | "d"];
		return Number(match[1]) * unitMs;
	},

	/** As `duration`; `0` and `never` give undefined: it is switched off. */
	optionalDuration(text: string): number | undefined {
		return text === "0" || text === "never" ? undefined : parse.duration(text);
	},

	/** Texts with commas between them; an empty text is an empty list. */
	list(text: string): string[] {
		return text
			.split(",")
			.map((item) => item.trim())
			.filter((item) => item !== "");
	},

	oneOf:
		<const T extends string>(...choices: readonly T[]) =>
		(text: string): T => {
			const found = choices.find((choice) => choice === text);
			if (!found) throw new Error(`is none of ${choices.join(", ")}`);
			return found;
		},

	url(text: string): string {
		if (!URL.canParse(text)) throw new Error("is not a URL");
		return text.replace(/\/$/, "");
	},
};
