import type { ErrorCode, Problem } from "@repldock/protocol";

/** An answer that was an error: the problem that the site or the node told, or one made up for a failed transport. */
export class ProblemError extends Error {
	readonly problem: Problem;
	constructor(problem: Problem, cause?: unknown) {
		super(problem.detail, cause === undefined ? undefined : { cause });
		this.name = "ProblemError";
		this.problem = problem;
	}
}

/** Reads a value that should be a problem; null when it is something else. */
export function readProblem(value: unknown): Problem | null {
	if (typeof value !== "object" || value === null) return null;
	const { code, status, detail } = value as Record<string, unknown>;
	if (typeof code !== "string" || typeof status !== "number" || typeof detail !== "string") return null;
	return { code: code as ErrorCode, status, detail };
}

/** The problem of an answer that is not ok; a sentence of our own when the answer holds none. */
export async function problemOfResponse(response: Response): Promise<Problem> {
	const body: unknown = await response.json().catch(() => null); // An error page of a proxy is no JSON: told below.
	return (
		readProblem(body) ?? {
			code: response.status >= 500 ? "node_unreachable" : "internal",
			status: response.status,
			detail: `The server answered with an error (${response.status}). Try again in a moment.`,
		}
	);
}

export const unreachable: Problem = {
	code: "node_unreachable",
	status: 503,
	detail: "The server cannot be reached. Check your network; the page tries again by itself.",
};

/** What to show of anything that was thrown. */
export function problemOf(error: unknown): Problem {
	if (error instanceof ProblemError) return error.problem;
	if (error instanceof TypeError) return unreachable; // What `fetch` throws when the network fails.
	return { code: "internal", status: 500, detail: "Something went wrong in the page. Reload it and try again." };
}
