import { ObjectStoreError } from "../errors.ts";
import { compareKeys, isKey } from "../keys.ts";
import { type ObjectInfo, pageKeys } from "../store.ts";
import type { S3Client } from "./client.ts";
import { S3Error } from "./errors.ts";
import { elements, text } from "./xml.ts";

/** Objects below a path of the bucket, page by page. Names that are no keys of ours are left out. */
export async function* listObjects(
	client: S3Client,
	base: string,
	prefix: string,
	after: string | undefined,
): AsyncGenerator<ObjectInfo> {
	let last = after ?? "";
	for (let token: string | undefined; ; ) {
		const query: Record<string, string> = {
			"list-type": "2",
			"max-keys": String(pageKeys),
			prefix: base + prefix,
			...(token ? { "continuation-token": token } : after ? { "start-after": base + after } : {}),
		};
		const { body } = await client.ask({ method: "GET", path: "", query }, (xml) =>
			assertWhole(xml, "ListBucketResult"),
		);
		for (const entry of elements(body, "Contents")) {
			const key = (text(entry, "Key") ?? "").slice(base.length);
			if (!isKey(key)) continue;
			const bytes = Number(text(entry, "Size"));
			const modifiedAt = new Date(text(entry, "LastModified") ?? "");
			if (!Number.isSafeInteger(bytes) || Number.isNaN(modifiedAt.getTime()) || compareKeys(key, last) <= 0) {
				throw new ObjectStoreError("refused", "The object store does not list as S3 does.");
			}
			last = key;
			yield { key, bytes, modifiedAt };
		}
		if (text(body, "IsTruncated") !== "true") return;
		token = text(body, "NextContinuationToken");
		if (!token) throw new ObjectStoreError("refused", "The object store says that there is more, but not how to ask.");
	}
}

/** Ends the uploads below a path that began before a moment and never finished. @returns how many. */
export async function abortOldUploads(client: S3Client, base: string, beforeMs: number): Promise<number> {
	let aborted = 0;
	for (let markers: Record<string, string> = {}; ; ) {
		const query = { uploads: "", prefix: base, ...markers };
		const { body } = await client.ask({ method: "GET", path: "", query }, (xml) =>
			assertWhole(xml, "ListMultipartUploadsResult"),
		);
		for (const entry of elements(body, "Upload")) {
			const path = text(entry, "Key");
			const uploadId = text(entry, "UploadId");
			const beganAtMs = Date.parse(text(entry, "Initiated") ?? "");
			if (!path?.startsWith(base) || !uploadId || !(beganAtMs <= beforeMs)) continue;
			try {
				await client.ask({ method: "DELETE", path, query: { uploadId } });
			} catch (error) {
				// It finished or was aborted meanwhile.
				if (error instanceof S3Error && error.s3Code === "NoSuchUpload") continue;
				throw error;
			}
			aborted += 1;
		}
		if (text(body, "IsTruncated") !== "true") return aborted;
		markers = {
			"key-marker": text(body, "NextKeyMarker") ?? "",
			"upload-id-marker": text(body, "NextUploadIdMarker") ?? "",
		};
	}
}

/** A page that was cut must never pass for a short one. */
function assertWhole(xml: string, root: string): void {
	if (xml.trimEnd().endsWith(`</${root}>`)) return;
	throw new ObjectStoreError("unavailable", "The object store's list is incomplete. Try again later.");
}
