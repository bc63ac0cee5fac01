import { type ErrorCode, errorStatus, type Problem, RepldockError, toProblem } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ZodError } from "zod";

/** A problem as an HTTP answer (RFC 9457). */
export function problemResponse(problem: Problem, headers: Record<string, string> = {}): Response {
	return new Response(JSON.stringify({ type: `urn:repldock:problem:${problem.code}`, ...problem }), {
		status: problem.status,
		headers: { ...headers, "content-type": "application/problem+json", "cache-control": "no-store" },
	});
}

/** Turns whatever a route threw into an answer; what is not the asker's doing is logged. */
export function answerError(error: unknown, context: Context, log: Logger): Response {
	if (error instanceof HTTPException && error.status < 500) {
		const code = error.status === 413 ? "file_too_large" : "invalid_input";
		return problemResponse(toProblem(new RepldockError(code, error.message || "The request could not be read.")));
	}
	const problem = toProblem(error);
	if (problem.status >= 500)
		log.error({ err: error, method: context.req.method, path: context.req.path }, "request failed");
	return problemResponse(problem);
}

/** What a route's schema found wrong with its input, by field. */
export function inputError(error: ZodError): RepldockError {
	const fields: Record<string, string> = {};
	for (const issue of error.issues) fields[issue.path.join(".") || "input"] ??= issue.message;
	const [first] = Object.entries(fields);
	return new RepldockError("invalid_input", first ? `${first[0]}: ${first[1]}` : "The input is not valid.", { fields });
}

const codesOfAuth: Record<string, ErrorCode> = {
	INVALID_EMAIL_OR_PASSWORD: "wrong_credentials",
	INVALID_PASSWORD: "wrong_credentials",
	USER_ALREADY_EXISTS: "already_exists",
	USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL: "already_exists",
	REGISTRATION_CLOSED: "registration_closed",
};

const codesOfStatus: Record<number, ErrorCode> = {
	401: "sign_in_required",
	403: "not_allowed",
	404: "not_found",
	429: "too_many_requests",
};

/** Says in our words what better-auth refused with a status, its own code and its message. */
export function problemOfAuth(status: number, code: string | undefined, message: string | undefined): Problem {
	const fallback = status >= 500 ? "internal" : (codesOfStatus[status] ?? "invalid_input");
	const ours = (code && codesOfAuth[code]) || fallback;
	const detail =
		ours === "internal" || !message ? toProblem(new RepldockError(ours, "The request was refused.")).detail : message;
	return { code: ours, status: errorStatus[ours], detail };
}
