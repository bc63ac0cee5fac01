import { z } from "zod";

/**
 * Every error that a person or a program can meet, by its machine code, with the HTTP status it is answered with.
 * Codes are part of the API: they are added, never renamed.
 */
export const errorStatus = {
	invalid_input: 400,
	invalid_path: 400,
	invalid_ticket: 401,
	sign_in_required: 401,
	wrong_credentials: 401,
	not_allowed: 403,
	registration_closed: 403,
	limit_reached: 403,
	not_found: 404,
	file_not_found: 404,
	already_exists: 409,
	already_running: 409,
	not_running: 409,
	slug_taken: 409,
	stale_generation: 409,
	file_too_large: 413,
	not_text: 415,
	invalid_archive: 422,
	invalid_project_file: 422,
	nothing_to_run: 422,
	too_many_requests: 429,
	internal: 500,
	container_failed: 502,
	no_node: 503,
	node_unreachable: 503,
	not_placed_here: 503,
	timed_out: 504,
	disk_full: 507,
	quota_exceeded: 507,
} as const;

export type ErrorCode = keyof typeof errorStatus;

const errorCodes = Object.keys(errorStatus) as [ErrorCode, ...ErrorCode[]];

/** RFC 9457 problem details, as sent over HTTP (`application/problem+json`) and inside socket messages. */
export const Problem = z.object({
	/** Machine code; also the last part of the problem type. */
	code: z.enum(errorCodes),
	status: z.int(),
	/** A sentence for the person that says what to do next. */
	detail: z.string(),
	/** Which inputs were wrong: field path → sentence. */
	fields: z.record(z.string(), z.string()).optional(),
});
export type Problem = z.infer<typeof Problem>;

/** An error with a machine code and a sentence for the person; `cause` is for the log alone. */
export class RepldockError extends Error {
	readonly code: ErrorCode;
	readonly fields: Record<string, string> | undefined;

	constructor(code: ErrorCode, message: string, options: { cause?: unknown; fields?: Record<string, string> } = {}) {
		super(message, options.cause === undefined ? undefined : { cause: options.cause });
		this.name = "RepldockError";
		this.code = code;
		this.fields = options.fields;
	}
}

/** What an outsider may see of an error: ours as it stands, anything else as `internal` without its text. */
export function toProblem(error: unknown): Problem {
	if (error instanceof RepldockError) {
		return {
			code: error.code,
			status: errorStatus[error.code],
			detail: error.message,
			...(error.fields ? { fields: error.fields } : {}),
		};
	}
	return {
		code: "internal",
		status: 500,
		detail: "Something went wrong on the server. Try again; if it stays, tell your operator.",
	};
}

/**
 * Parses a value that crosses a border.
 * @throws RepldockError `invalid_input` with the wrong fields named.
 */
export function parseInput<T>(schema: z.ZodType<T>, value: unknown): T {
	const result = schema.safeParse(value);
	if (result.success) return result.data;
	const fields: Record<string, string> = {};
	for (const issue of result.error.issues) fields[issue.path.join(".") || "input"] ??= issue.message;
	const [first] = Object.entries(fields);
	throw new RepldockError("invalid_input", first ? `${first[0]}: ${first[1]}` : "The input is not valid.", { fields });
}
