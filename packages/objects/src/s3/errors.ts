import { ObjectStoreError, type ObjectStoreErrorCode } from "../errors.ts";
import { text } from "./xml.ts";

/** What an S3 store answered instead of doing what it was asked. */
export class S3Error extends ObjectStoreError {
	/** The store's own word, such as `SlowDown`; empty when it said none. */
	readonly s3Code: string;
	/** Of HTTP. */
	readonly status: number;
	/** The same request may succeed in a moment. */
	readonly isPassing: boolean;

	constructor(
		code: ObjectStoreErrorCode,
		message: string,
		answer: { status: number; s3Code: string },
		isPassing = code === "unavailable",
	) {
		super(code, message);
		this.name = "S3Error";
		this.status = answer.status;
		this.s3Code = answer.s3Code;
		this.isPassing = isPassing;
	}
}

/** Whether the same request may succeed in a moment. */
export function isPassing(error: unknown): boolean {
	if (error instanceof S3Error) return error.isPassing;
	return error instanceof ObjectStoreError && error.code === "unavailable";
}

/** Codes with a status below 500 that pass by themselves: the bytes or the connection suffered on the way. */
const passingCodes = new Set([
	"BadDigest",
	"InternalError",
	"OperationAborted",
	"RequestTimeout",
	"RequestTimeTooSkewed",
	"ServiceUnavailable",
	"SlowDown",
	"TooManyRequests",
	"XAmzContentSHA256Mismatch",
]);

/**
 * @param xml the body of the answer; stores say nothing about a HEAD.
 * @param asked what was asked, for the sentence.
 */
export function errorOf(status: number, xml: string, asked: string): S3Error {
	const s3Code = text(xml, "Code") ?? "";
	const answer = { status, s3Code };
	const said = `HTTP ${status}${s3Code ? ` ${printable(s3Code)}` : ""}`;
	if (s3Code === "NoSuchBucket") {
		return new S3Error("refused", "The bucket does not exist. Make it, or name another in REPLDOCK_OBJECTS.", answer);
	}
	if (s3Code === "NoSuchUpload") {
		return new S3Error("unavailable", `The store gave up an upload (${asked}). Try again.`, answer, false);
	}
	// A page of some proxy is not the store's word that there is no such object.
	if (status === 404 && (xml === "" || s3Code === "NoSuchKey")) {
		return new S3Error("not_found", `The object store has none of that: ${asked}.`, answer);
	}
	if (status === 412)
		return new S3Error("unavailable", `The object changed while it was read: ${asked}.`, answer, false);
	if (status >= 500 || status === 429 || status === 408 || passingCodes.has(s3Code)) {
		return new S3Error(
			"unavailable",
			`The object store cannot do it now (${said}): ${asked}. Try again later.`,
			answer,
		);
	}
	if (status >= 300 && status < 400) {
		return new S3Error(
			"refused",
			`The bucket is elsewhere (${said}). Check REPLDOCK_S3_ENDPOINT and REPLDOCK_S3_REGION.`,
			answer,
		);
	}
	const isOver = s3Code === "ExpiredToken" || s3Code === "TokenRefreshRequired";
	const advice = isOver
		? " The credentials are over: put new ones in their files."
		: status === 403 || status === 401
			? " Check REPLDOCK_S3_ACCESS_KEY_ID and its secret and rights."
			: "";
	return new S3Error("refused", `The object store refused (${said}): ${asked}.${advice}`, answer);
}

/** Words of a stranger for a log: no control characters, not long. */
function printable(words: string): string {
	return words.replace(/[^\x20-\x7e]/g, "?").slice(0, 80);
}
