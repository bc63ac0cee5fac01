import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { corrupt } from "../errors.ts";
import { partBytes } from "../store.ts";

export function md5(body: Uint8Array): Buffer {
	return createHash("md5").update(body).digest();
}

/** The entity tag that S3 gives to an object which came in parts: the MD5 of the parts' MD5s, and their number. */
export function tagOfParts(sums: readonly Buffer[]): string {
	return `${md5(Buffer.concat(sums)).toString("hex")}-${sums.length}`;
}

/** The entity tag without quotes, or undefined where it is not made of MD5 sums (keys of a key service, SSE-C). */
export function tagOf(headers: IncomingHttpHeaders): string | undefined {
	const encryption = headers["x-amz-server-side-encryption"];
	const isMd5 = (encryption === undefined || encryption === "AES256") && !hasOwnKey(headers);
	const tag = headers.etag?.replace(/^W\/|"/g, "");
	return isMd5 && tag && /^[0-9a-f]{32}(-\d+)?$/.test(tag) ? tag : undefined;
}

function hasOwnKey(headers: IncomingHttpHeaders): boolean {
	return headers["x-amz-server-side-encryption-customer-algorithm"] !== undefined;
}

/** Headers with which an object is stored, so that a reader can check it: see `createCheck`. */
export const sumHeader = "x-amz-meta-sha256";
export const partBytesHeader = "x-amz-meta-part-bytes";

/**
 * Checks a whole object against what was stored with it: the SHA-256 that we noted, or, of a stream that came in parts
 * and whose sum nobody knew beforehand, the store's tag over the sums of the parts.
 */
export function createCheck(key: string, headers: IncomingHttpHeaders): { take(chunk: Buffer): void; finish(): void } {
	const noted = headers[sumHeader];
	if (typeof noted === "string") {
		const hash = createHash("sha256");
		return {
			take: (chunk) => void hash.update(chunk),
			finish() {
				if (hash.digest("hex") !== noted) throw corrupt(key, "its SHA-256 is another one");
			},
		};
	}
	const tag = tagOf(headers);
	if (!tag || headers[partBytesHeader] !== String(partBytes)) return { take: () => undefined, finish: () => undefined };
	const sums: Buffer[] = [];
	let hash = createHash("md5");
	let missing = partBytes;
	return {
		take(chunk) {
			for (let rest = chunk; rest.length > 0; ) {
				const piece = rest.subarray(0, missing);
				hash.update(piece);
				missing -= piece.length;
				rest = rest.subarray(piece.length);
				if (missing > 0) continue;
				sums.push(hash.digest());
				hash = createHash("md5");
				missing = partBytes;
			}
		},
		finish() {
			if (missing < partBytes) sums.push(hash.digest());
			if (tagOfParts(sums) !== tag) throw corrupt(key, "the sum of its parts is another one");
		},
	};
}
