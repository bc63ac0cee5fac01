import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { corrupt, ObjectStoreError } from "../errors.ts";
import { type PutResult, partBytes } from "../store.ts";
import type { S3Answer, S3Client } from "./client.ts";
import { errorOf, S3Error } from "./errors.ts";
import { md5, partBytesHeader, sumHeader, tagOf, tagOfParts } from "./sums.ts";
import { text } from "./xml.ts";

/** S3 takes no more of them. */
const mostParts = 10_000;

/** Stores a body at a path of the bucket: in one request if it fits, else in parts one after the other. */
export async function putObject(
	client: S3Client,
	path: string,
	body: Uint8Array | Readable,
	signal: AbortSignal | undefined,
): Promise<PutResult> {
	const hash = createHash("sha256");
	const pieces = inParts(body, (piece) => hash.update(piece));
	try {
		const first = await pieces.next();
		if (first.done) throw new Error("a body has at least one part");
		if (first.value.isLast) {
			const sha256 = hash.digest("hex");
			const headers = { "content-md5": md5(first.value.piece).toString("base64"), [sumHeader]: sha256 };
			const answer = await client.ask({ method: "PUT", path, headers, body: first.value.piece, signal });
			checkTag(path, answer, md5(first.value.piece).toString("hex"));
			return { bytes: first.value.piece.length, sha256 };
		}
		const known = body instanceof Readable ? undefined : createHash("sha256").update(body).digest("hex");
		const bytes = await putInParts(client, path, first.value.piece, pieces, known, signal);
		return { bytes, sha256: hash.digest("hex") };
	} finally {
		if (body instanceof Readable) body.destroy();
	}
}

async function putInParts(
	client: S3Client,
	path: string,
	first: Uint8Array,
	rest: AsyncGenerator<Part>,
	sha256: string | undefined,
	signal: AbortSignal | undefined,
): Promise<number> {
	const headers = { [partBytesHeader]: String(partBytes), ...(sha256 ? { [sumHeader]: sha256 } : {}) };
	const created = await client.ask({ method: "POST", path, query: { uploads: "" }, headers, signal });
	const uploadId = text(created.body, "UploadId");
	if (!uploadId) throw new ObjectStoreError("unavailable", "The object store began no upload. Try again later.");
	const tags: string[] = [];
	const sums: Buffer[] = [];
	let bytes = 0;

	async function send(piece: Uint8Array) {
		if (sums.length === mostParts) {
			throw new ObjectStoreError("refused", `An object can have at most ${mostParts * partBytes} bytes: ${path}.`);
		}
		const sum = md5(piece);
		const answer = await client.ask({
			method: "PUT",
			path,
			query: { partNumber: String(sums.length + 1), uploadId: uploadId ?? "" },
			headers: { "content-md5": sum.toString("base64") },
			body: piece,
			signal,
		});
		checkTag(path, answer, sum.toString("hex"));
		sums.push(sum);
		tags.push(answer.headers.etag ?? `"${sum.toString("hex")}"`);
		bytes += piece.length;
	}

	try {
		await send(first);
		for await (const { piece } of rest) await send(piece);
		await complete(client, path, uploadId, tags, sums, signal);
		return bytes;
	} catch (error) {
		// Of its own accord, whatever became of the caller. If even that fails, `reclaim` finds the upload later.
		await client.ask({ method: "DELETE", path, query: { uploadId } }).catch(() => undefined);
		throw error;
	}
}

/** @throws S3Error also when the store first says 200 and then, in the body, that it failed. */
async function complete(
	client: S3Client,
	path: string,
	uploadId: string,
	tags: readonly string[],
	sums: readonly Buffer[],
	signal: AbortSignal | undefined,
): Promise<void> {
	const parts = tags.map((tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${tag}</ETag></Part>`);
	const body = Buffer.from(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`);
	try {
		const answer = await client.ask({ method: "POST", path, query: { uploadId }, body, signal }, (xml) => {
			if (/<Error[\s>]/.test(xml)) throw errorOf(500, xml, `POST ${path}`);
			if (!xml.includes("</CompleteMultipartUploadResult>")) throw errorOf(500, "", `POST ${path}`);
		});
		const tag = text(answer.body, "ETag")?.replaceAll('"', "");
		checkTag(path, { ...answer, headers: { ...answer.headers, etag: tag } }, tagOfParts(sums));
	} catch (error) {
		if (!(error instanceof S3Error && error.s3Code === "NoSuchUpload")) throw error;
		// An earlier attempt may have been carried out although its answer was lost.
		const { headers } = await client.ask({ method: "HEAD", path, signal });
		if (tagOf(headers) !== tagOfParts(sums)) throw error;
	}
}

/** The store's own sum of what it stored, where it gives one. */
function checkTag(path: string, answer: Omit<S3Answer<string>, "headers"> & { headers: Headers }, expected: string) {
	const tag = tagOf(answer.headers);
	if (tag !== undefined && tag !== expected) throw corrupt(path, "the store holds other bytes than it was given");
}

type Headers = Parameters<typeof tagOf>[0];
type Part = { piece: Uint8Array; isLast: boolean };

/** A body in pieces of `partBytes`, the last one shorter; an empty body is one empty piece. */
async function* inParts(body: Uint8Array | Readable, take: (piece: Uint8Array) => void): AsyncGenerator<Part> {
	if (!(body instanceof Readable)) {
		for (let start = 0; ; start += partBytes) {
			const piece = body.subarray(start, start + partBytes);
			const isLast = start + partBytes >= body.length;
			take(piece);
			yield { piece, isLast };
			if (isLast) return;
		}
	}
	let chunks: Uint8Array[] = [];
	let bytes = 0;
	for await (const chunk of body) {
		let rest: Uint8Array = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
		while (bytes + rest.length > partBytes) {
			const fitting = rest.subarray(0, partBytes - bytes);
			const piece = Buffer.concat([...chunks, fitting]);
			rest = rest.subarray(fitting.length);
			chunks = [];
			bytes = 0;
			take(piece);
			yield { piece, isLast: false };
		}
		chunks.push(rest);
		bytes += rest.length;
	}
	const piece = Buffer.concat(chunks);
	take(piece);
	yield { piece, isLast: true };
}
