import type { ErrorCode } from "@repldock/protocol";

/** Why a call failed: the server's problem details, or `unreachable` when there was no answer. */
export class ApiProblem extends Error {
	readonly code: ErrorCode | "unreachable" | "unknown";
	/** Field → sentence. */
	readonly fields: Record<string, string>;

	constructor(code: ApiProblem["code"], detail: string, fields: Record<string, string> = {}) {
		super(detail);
		this.name = "ApiProblem";
		this.code = code;
		this.fields = fields;
	}
}

type Method = "GET" | "POST" | "PATCH" | "DELETE";

/**
 * Calls the site's API. The answer's shape is the caller's to name: it comes from our own server, and schemas would
 * make the page several times larger.
 * @throws ApiProblem
 */
export async function callApi<Answer = void>(
	method: Method,
	path: string,
	body?: unknown,
	signal?: AbortSignal,
): Promise<Answer> {
	const response = await fetch(path, {
		method,
		headers: body === undefined ? {} : { "content-type": "application/json" },
		body: body === undefined ? null : JSON.stringify(body),
		signal: signal ?? null,
	}).catch((error: unknown) => {
		if (signal?.aborted) throw error;
		throw new ApiProblem("unreachable", "The server does not answer. Check your connection and try again.");
	});
	const text = await response.text();
	const answer: unknown = text === "" ? undefined : parseJson(text);
	if (!response.ok) throw problemOf(response.status, answer);
	return answer as Answer;
}

/** The sentence for the person, whatever was thrown. */
export function sentenceOf(error: unknown): string {
	if (error instanceof ApiProblem) return error.message;
	console.error(error);
	return "Something went wrong in this page. Reload it and try again.";
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		throw new ApiProblem("unknown", "The server's answer makes no sense. Try again; if it stays, tell your operator.");
	}
}

/** Reads problem details, and the accounts engine's `{ code, message }`. */
function problemOf(status: number, answer: unknown): ApiProblem {
	const record = isRecord(answer) ? answer : {};
	const detail = [record.detail, record.message].find((text) => typeof text === "string" && text !== "");
	const code = typeof record.code === "string" ? (record.code as ErrorCode) : "unknown";
	const fields = isRecord(record.fields) ? (record.fields as Record<string, string>) : {};
	return new ApiProblem(code, typeof detail === "string" ? detail : statusSentence(status), fields);
}

function statusSentence(status: number): string {
	if (status === 401) return "You are signed out. Sign in and try again.";
	if (status === 429) return "Too many attempts. Wait a minute and try again.";
	return "The server could not do this. Try again; if it stays, tell your operator.";
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
