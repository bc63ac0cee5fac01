import { type Problem, toProblem } from "@repldock/protocol";

/** An error as the answer to a request. */
export function problemResponse(error: unknown): Response {
	return toResponse(toProblem(error));
}

export function toResponse(problem: Problem, headers: Record<string, string> = {}): Response {
	const body = { type: `urn:repldock:problem:${problem.code}`, ...problem };
	return new Response(JSON.stringify(body), {
		status: problem.status,
		headers: { "Content-Type": "application/problem+json", "X-Content-Type-Options": "nosniff", ...headers },
	});
}

/** What a log may hold of an error: no message, since messages name files and addresses. */
export function withoutMessage(error: unknown): { name: string; code: unknown; at: string[]; cause?: unknown } {
	if (!(error instanceof Error)) return { name: typeof error, code: undefined, at: [] };
	const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
	return {
		name: error.name,
		code: "code" in error ? error.code : undefined,
		at: frames.slice(0, 8).map((line) => line.trim()),
		...(error.cause === undefined ? {} : { cause: withoutMessage(error.cause) }),
	};
}
