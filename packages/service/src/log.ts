import { type Logger, pino } from "pino";

export type { Logger };

/** Fields that never reach a log, at any of the depths where our objects carry them. */
const secretFields = ["token", "ticket", "password", "secret", "authorization", "cookie"];

/** A structured log on standard output, one JSON object a line, tagged with the program's name. */
export function createLog(program: string, level: string): Logger {
	return pino({
		level,
		base: { program },
		timestamp: pino.stdTimeFunctions.isoTime,
		formatters: { level: (label) => ({ level: label }) },
		redact: { paths: secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: "[secret]" },
	});
}
