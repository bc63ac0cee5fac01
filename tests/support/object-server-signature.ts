import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** An answer of the store's protocol that says no. */
export class Refusal extends Error {
	readonly status: number;
	readonly code: string;

	constructor(status: number, code: string) {
		super(code);
		this.status = status;
		this.code = code;
	}
}

export interface Credentials {
	readonly accessKeyId: string;
	readonly secretAccessKey: string;
	readonly sessionToken?: string;
	readonly region: string;
}

/** What Amazon allows between the two clocks. */
const mostSkewMs = 15 * 60_000;

/** Headers that must be under the signature when they are there. */
const mustBeSigned = (name: string) => name === "host" || name === "content-md5" || name.startsWith("x-amz-");

/**
 * Checks a request's AWS Signature Version 4 from its raw form, on its own and without the signer's library.
 * @throws Refusal as S3 words it.
 */
export function verifySignature(request: IncomingMessage, body: Buffer, credentials: Credentials, nowMs: number): void {
	const header = request.headers.authorization ?? "";
	const match =
		/^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
			header,
		);
	if (!match) throw new Refusal(403, "AccessDenied");
	const [, accessKeyId = "", day = "", region = "", signedHeaders = "", signature = ""] = match;
	if (accessKeyId !== credentials.accessKeyId) throw new Refusal(403, "InvalidAccessKeyId");
	if (region !== credentials.region) throw new Refusal(400, "AuthorizationHeaderMalformed");
	if (request.headers["x-amz-security-token"] !== credentials.sessionToken) throw new Refusal(403, "InvalidToken");

	const payload = String(request.headers["x-amz-content-sha256"]);
	if (!/^[0-9a-f]{64}$/.test(payload)) throw new Refusal(403, "AccessDenied");
	const stamp = String(request.headers["x-amz-date"]);
	const signedAtMs = Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
	if (!stamp.startsWith(day) || !(Math.abs(signedAtMs - nowMs) <= mostSkewMs)) {
		throw new Refusal(403, "RequestTimeTooSkewed");
	}
	const names = signedHeaders.split(";");
	if (Object.keys(request.headers).some((name) => mustBeSigned(name) && !names.includes(name))) {
		throw new Refusal(403, "AccessDenied");
	}

	const url = new URL(request.url ?? "/", "http://store");
	const query = [...url.searchParams].map(([name, value]) => `${encode(name)}=${encode(value)}`).sort();
	const canonical = [
		request.method,
		url.pathname
			.split("/")
			.map((part) => encode(decodeURIComponent(part)))
			.join("/"),
		query.join("&"),
		...names.map((name) => `${name}:${String(request.headers[name]).trim().replace(/\s+/g, " ")}`),
		"",
		signedHeaders,
		payload,
	].join("\n");
	const scope = `${day}/${region}/s3/aws4_request`;
	const toSign = ["AWS4-HMAC-SHA256", stamp, scope, sha256(canonical)].join("\n");
	const key = [day, region, "s3", "aws4_request"].reduce<string | Buffer>(
		(key, part) => hmac(key, part),
		`AWS4${credentials.secretAccessKey}`,
	);
	if (!timingSafeEqual(hmac(key, toSign), Buffer.from(signature, "hex"))) {
		throw new Refusal(403, "SignatureDoesNotMatch");
	}
	if (sha256(body) !== payload) throw new Refusal(400, "XAmzContentSHA256Mismatch");
}

function encode(text: string): string {
	return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function hmac(key: string | Buffer, text: string): Buffer {
	return createHmac("sha256", key).update(text).digest();
}

function sha256(data: string | Buffer): string {
	return createHash("sha256").update(data).digest("hex");
}
