import { Readable } from "node:stream";
import { notFound, ObjectStoreError } from "../errors.ts";
import { checkKey, checkPrefix } from "../keys.ts";
import { type ObjectStore, pageKeys } from "../store.ts";
import { createS3Client, type S3Options } from "./client.ts";
import { errorOf, S3Error } from "./errors.ts";
import { openObject, readObject } from "./get.ts";
import { abortOldUploads, listObjects } from "./list.ts";
import { putObject } from "./put.ts";
import { md5 } from "./sums.ts";
import { elements, text } from "./xml.ts";

/**
 * A bucket of S3, Cloudflare R2 or anything that speaks their protocol. Nothing is asked of the store but what both
 * have; no correctness rests on conditional writes.
 * @param prefix path within the bucket below which all keys are; may be empty.
 */
export function openS3Store(options: S3Options, prefix = ""): ObjectStore {
	const client = createS3Client(options);
	const base = prefix === "" ? "" : `${prefix.replace(/\/$/, "")}/`;
	/** A HEAD that answers 404 does not say whether the object or the bucket is missing. */
	let bucketSeen = false;

	const pathOf = (key: string) => {
		checkKey(key);
		return base + key;
	};

	async function head(key: string) {
		const path = pathOf(key);
		try {
			const { headers } = await client.ask({ method: "HEAD", path });
			bucketSeen = true;
			const bytes = Number(headers["content-length"]);
			return { key, bytes, modifiedAt: new Date(headers["last-modified"] ?? 0) };
		} catch (error) {
			if (!isAbsent(error)) throw error;
			await assertBucket();
			return null;
		}
	}

	async function assertBucket() {
		if (bucketSeen) return;
		try {
			await client.ask({ method: "HEAD", path: "" });
			bucketSeen = true;
		} catch (error) {
			throw isAbsent(error) ? errorOf(404, "<Code>NoSuchBucket</Code>", "HEAD") : error;
		}
	}

	async function now(): Promise<Date> {
		// No HEAD: the answer to one does not say that it was refused because the caller's clock is wrong.
		const query = { "list-type": "2", "max-keys": "1", prefix: base };
		const { headers } = await client.ask({ method: "GET", path: "", query });
		const told = new Date(headers.date ?? "");
		if (!Number.isNaN(told.getTime())) return told;
		throw new ObjectStoreError("refused", "The object store does not say what time it is.");
	}

	async function removeBatch(keys: readonly string[]) {
		const names = keys.map((key) => `<Object><Key>${pathOf(key)}</Key></Object>`).join("");
		const body = Buffer.from(`<Delete><Quiet>true</Quiet>${names}</Delete>`);
		const headers = { "content-md5": md5(body).toString("base64") };
		await client.ask({ method: "POST", path: "", query: { delete: "" }, headers, body }, (xml) => {
			for (const error of elements(xml, "Error")) {
				const isRefused = ["AccessDenied", "InvalidRequest", "MethodNotAllowed"].includes(text(error, "Code") ?? "");
				throw errorOf(isRefused ? 403 : 500, error, "POST delete");
			}
			if (!xml.includes("DeleteResult")) throw errorOf(500, "", "POST delete");
		});
	}

	return {
		description: `s3://${options.bucket}/${base}`,
		put: async (key, body, { signal } = {}) => {
			signal?.throwIfAborted();
			return putObject(client, pathOf(key), body, signal);
		},
		head,
		async get(key, { range, signal } = {}) {
			const reading = { client, key, path: pathOf(key), range, signal };
			if (range && range.end <= range.start) {
				if (await head(key)) return Readable.from([]);
				throw notFound(key);
			}
			try {
				const opened = await openObject(reading, range?.start ?? 0);
				return Readable.from(readObject(reading, opened), {
					objectMode: false,
					...(signal ? { signal } : {}),
				}).once("close", () => opened.body.destroy());
			} catch (error) {
				if (error instanceof S3Error && error.s3Code === "InvalidRange") return Readable.from([]);
				if (!isAbsent(error)) throw error;
				await assertBucket();
				throw notFound(key);
			}
		},
		async *list(within, { after } = {}) {
			checkPrefix(within);
			yield* listObjects(client, base, within, after);
		},
		async remove(keys) {
			for (let start = 0; start < keys.length; start += pageKeys) {
				await removeBatch(keys.slice(start, start + pageKeys));
			}
		},
		now,
		reclaim: async (olderThanMs) => abortOldUploads(client, base, (await now()).getTime() + tickMs - olderThanMs),
	};
}

/** What a `Date` header leaves out. */
const tickMs = 1000;

function isAbsent(error: unknown): boolean {
	return error instanceof ObjectStoreError && error.code === "not_found";
}
