import { createHash, randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { Refusal } from "./object-server-signature.ts";

export interface BucketRequest {
	readonly method: string;
	/** Empty for the bucket itself. */
	readonly key: string;
	readonly query: URLSearchParams;
	readonly headers: IncomingHttpHeaders;
	readonly body: Buffer;
}

export interface BucketAnswer {
	status: number;
	headers: Record<string, string>;
	body: Buffer;
}

interface Stored {
	body: Buffer;
	readonly tag: string;
	readonly notes: Record<string, string>;
	readonly modifiedAt: Date;
}

interface Upload {
	readonly key: string;
	readonly notes: Record<string, string>;
	readonly initiatedAt: Date;
	readonly parts: Map<number, { body: Buffer; tag: string }>;
}

const leastPartBytes = 5 * 1024 * 1024;
const xmlHead = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** What a bucket does, in memory: objects, listings in pages, uploads in parts. */
export function createBucket(pageKeys: number) {
	const objects = new Map<string, Stored>();
	const uploads = new Map<string, Upload>();

	function answer(request: BucketRequest): BucketAnswer {
		const { method, key, query } = request;
		if (request.headers["content-md5"] && request.headers["content-md5"] !== md5(request.body).toString("base64")) {
			throw new Refusal(400, "BadDigest");
		}
		if (key === "") {
			if (method === "HEAD") return empty(200);
			if (method === "GET" && query.has("uploads")) return listUploads(query);
			if (method === "GET") return list(query);
			if (method === "POST" && query.has("delete")) return removeMany(request);
		} else if (query.has("uploads") && method === "POST") return begin(request);
		else if (query.has("uploadId")) return inUpload(request, query.get("uploadId") ?? "");
		else if (method === "PUT") return put(request);
		else if (method === "GET" || method === "HEAD") return get(request);
		throw new Refusal(405, "MethodNotAllowed");
	}

	function put({ key, body, headers }: BucketRequest): BucketAnswer {
		const tag = md5(body).toString("hex");
		objects.set(key, { body: Buffer.from(body), tag, notes: notesOf(headers), modifiedAt: new Date() });
		return empty(200, { etag: `"${tag}"` });
	}

	function get({ method, key, headers }: BucketRequest): BucketAnswer {
		const found = objects.get(key);
		if (!found) throw new Refusal(404, "NoSuchKey");
		const tag = `"${found.tag}"`;
		if (headers["if-match"] && headers["if-match"] !== tag) throw new Refusal(412, "PreconditionFailed");
		const told = { ...found.notes, etag: tag, "last-modified": found.modifiedAt.toUTCString() };
		const range = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "");
		if (!range) {
			// The length of the object, although a HEAD sends nothing of it.
			const length = { "content-length": String(found.body.length) };
			return { status: 200, headers: { ...told, ...length }, body: method === "HEAD" ? Buffer.alloc(0) : found.body };
		}
		const start = Number(range[1]);
		if (start >= found.body.length) throw new Refusal(416, "InvalidRange");
		const body = found.body.subarray(start, range[2] ? Number(range[2]) + 1 : undefined);
		const contentRange = `bytes ${start}-${start + body.length - 1}/${found.body.length}`;
		return { status: 206, headers: { ...told, "content-range": contentRange }, body };
	}

	function list(query: URLSearchParams): BucketAnswer {
		const prefix = query.get("prefix") ?? "";
		const token = query.get("continuation-token");
		const after = token ? Buffer.from(token, "base64url").toString() : (query.get("start-after") ?? "");
		const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
		const most = Math.min(pageKeys, Number(query.get("max-keys") ?? 1000));
		const page = keys.slice(0, most);
		const contents = page.map((key) => {
			const { body, tag, modifiedAt } = objects.get(key) as Stored;
			return `<Contents><Key>${escapeXml(key)}</Key><LastModified>${modifiedAt.toISOString()}</LastModified><ETag>&quot;${tag}&quot;</ETag><Size>${body.length}</Size></Contents>`;
		});
		const next =
			keys.length > most
				? `<NextContinuationToken>${Buffer.from(page.at(-1) ?? "").toString("base64url")}</NextContinuationToken>`
				: "";
		return xml(
			`<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Prefix>${escapeXml(prefix)}</Prefix><IsTruncated>${keys.length > most}</IsTruncated>${contents.join("")}${next}</ListBucketResult>`,
		);
	}

	function listUploads(query: URLSearchParams): BucketAnswer {
		const prefix = query.get("prefix") ?? "";
		const marker = `${query.get("key-marker") ?? ""} ${query.get("upload-id-marker") ?? ""}`;
		const found = [...uploads]
			.map(([id, upload]) => ({ id, ...upload, place: `${upload.key} ${id}` }))
			.filter(({ key, place }) => key.startsWith(prefix) && place > marker)
			.sort((one, other) => (one.place < other.place ? -1 : 1));
		const page = found.slice(0, pageKeys);
		const entries = page.map(
			({ id, key, initiatedAt }) =>
				`<Upload><Key>${escapeXml(key)}</Key><UploadId>${id}</UploadId><Initiated>${initiatedAt.toISOString()}</Initiated></Upload>`,
		);
		const last = page.at(-1);
		return xml(
			`<ListMultipartUploadsResult><IsTruncated>${found.length > page.length}</IsTruncated><NextKeyMarker>${escapeXml(last?.key ?? "")}</NextKeyMarker><NextUploadIdMarker>${last?.id ?? ""}</NextUploadIdMarker>${entries.join("")}</ListMultipartUploadsResult>`,
		);
	}

	function removeMany({ headers, body }: BucketRequest): BucketAnswer {
		if (!headers["content-md5"]) throw new Refusal(400, "InvalidRequest");
		const keys = [...body.toString().matchAll(/<Key>(.*?)<\/Key>/g)].map((match) => match[1] ?? "");
		if (keys.length > 1000) throw new Refusal(400, "MalformedXML");
		for (const key of keys) objects.delete(key);
		return xml("<DeleteResult></DeleteResult>");
	}

	function begin({ key, headers }: BucketRequest): BucketAnswer {
		const id = randomUUID();
		uploads.set(id, { key, notes: notesOf(headers), initiatedAt: new Date(), parts: new Map() });
		return xml(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
	}

	function inUpload({ method, key, query, body }: BucketRequest, id: string): BucketAnswer {
		const upload = uploads.get(id);
		if (!upload || upload.key !== key) throw new Refusal(404, "NoSuchUpload");
		if (method === "DELETE") {
			uploads.delete(id);
			return empty(204);
		}
		if (method === "PUT") {
			const tag = md5(body).toString("hex");
			upload.parts.set(Number(query.get("partNumber")), { body: Buffer.from(body), tag });
			return empty(200, { etag: `"${tag}"` });
		}
		const named = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>"?([0-9a-f]{32})"?<\/ETag>/g)];
		const parts = named.map(([, number, tag]) => {
			const part = upload.parts.get(Number(number));
			if (part?.tag !== tag) throw new Refusal(400, "InvalidPart");
			return part as { body: Buffer; tag: string };
		});
		if (parts.slice(0, -1).some((part) => part.body.length < leastPartBytes)) throw new Refusal(400, "EntityTooSmall");
		const tag = `${md5(Buffer.concat(parts.map((part) => Buffer.from(part.tag, "hex")))).toString("hex")}-${parts.length}`;
		const whole = Buffer.concat(parts.map((part) => part.body));
		objects.set(key, { body: whole, tag, notes: upload.notes, modifiedAt: new Date() });
		uploads.delete(id);
		return xml(`<CompleteMultipartUploadResult><ETag>&quot;${tag}&quot;</ETag></CompleteMultipartUploadResult>`);
	}

	return { objects, uploads, answer };
}

export function errorAnswer(status: number, code: string): BucketAnswer {
	return { ...xml(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`), status };
}

function xml(text: string): BucketAnswer {
	return { status: 200, headers: { "content-type": "application/xml" }, body: Buffer.from(xmlHead + text) };
}

function empty(status: number, headers: Record<string, string> = {}): BucketAnswer {
	return { status, headers, body: Buffer.alloc(0) };
}

function notesOf(headers: IncomingHttpHeaders): Record<string, string> {
	const notes = Object.entries(headers).filter(([name]) => name.startsWith("x-amz-meta-"));
	return Object.fromEntries(notes.map(([name, value]) => [name, String(value)]));
}

function md5(body: Buffer): Buffer {
	return createHash("md5").update(body).digest();
}

function escapeXml(text: string): string {
	return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
