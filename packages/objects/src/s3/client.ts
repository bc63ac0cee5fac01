import { createHash } from "node:crypto";
import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { createBackoff } from "@repldock/service";
import { AwsV4Signer } from "aws4fetch";
import { ObjectStoreError } from "../errors.ts";
import { textOf } from "./body.ts";
import { holdCredentials, refusesCredentials, type S3Credentials } from "./credentials.ts";
import { errorOf, isPassing } from "./errors.ts";

export interface S3Options extends S3Credentials {
	/** Such as `https://<account>.r2.cloudflarestorage.com`. */
	readonly endpoint: string;
	readonly region: string;
	readonly bucket: string;
	/** Whether the bucket is the first part of the path or of the host name. */
	readonly style: "path" | "host";
	/** Where the credentials came from: read again when the store refuses them. */
	readonly readCredentials?: (() => Promise<S3Credentials>) | undefined;
	readonly times?: Partial<S3Times>;
	/** How host names become addresses; the system's way when not given. */
	readonly lookup?: LookupFunction;
}

/** How long the store may take, in milliseconds. */
export interface S3Times {
	/** Until an answer begins; a request with a body gets more, as for the slowest uplink. */
	readonly answerTimeoutMs: number;
	/** What an uplink must carry for a body not to count as hung. */
	readonly leastUplinkBytesPerMs: number;
	/** Without 64 KiB more of an answer. */
	readonly stallTimeoutMs: number;
	/** A failed request is sent again as long as no more than this is over since the first time. */
	readonly retryBudgetMs: number;
	readonly firstRetryMs: number;
	readonly mostRetryMs: number;
	/** Credentials that the store refuses are read again, but not within this time after they were. */
	readonly rereadAfterMs: number;
}

const usualTimes: S3Times = {
	answerTimeoutMs: 30_000,
	// 64 KiB a second.
	leastUplinkBytesPerMs: 64 * 1.024,
	stallTimeoutMs: 30_000,
	retryBudgetMs: 60_000,
	firstRetryMs: 200,
	mostRetryMs: 10_000,
	rereadAfterMs: 10_000,
};

export interface S3Request {
	readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
	/** Within the bucket; the bucket itself when empty. */
	readonly path: string;
	readonly query?: Readonly<Record<string, string>>;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: Uint8Array;
	readonly signal?: AbortSignal | undefined;
}

export interface S3Answer<Body> {
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	readonly body: Body;
}

export interface S3Client {
	readonly times: S3Times;
	/** Signs and sends, again and again while the store is only unavailable. The body is read by the caller. @throws ObjectStoreError */
	open(request: S3Request): Promise<S3Answer<IncomingMessage>>;
	/**
	 * The same, with the body read as text within the attempts.
	 * @param check throws an S3Error when the text says that it failed after all.
	 */
	ask(request: S3Request, check?: (text: string) => void): Promise<S3Answer<string>>;
}

export function createS3Client(options: S3Options): S3Client {
	const times = { ...usualTimes, ...options.times };
	const endpoint = new URL(options.endpoint);
	const secure = endpoint.protocol === "https:";
	const agent = secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
	const { accessKeyId, secretAccessKey, sessionToken } = options;
	const credentials = holdCredentials(
		{ accessKeyId, secretAccessKey, sessionToken },
		options.readCredentials,
		times.rereadAfterMs,
	);
	const signingKeys = new Map<string, ArrayBuffer>();
	/** By how much the store's clock is ahead of ours, as it told when it refused a signature for that. */
	let clockSkewMs = 0;

	function address(request: S3Request): URL {
		const url = new URL(endpoint);
		if (options.style === "host") url.hostname = `${options.bucket}.${url.hostname}`;
		const base = url.pathname.replace(/\/$/, "") + (options.style === "path" ? `/${options.bucket}` : "");
		url.pathname = request.path === "" ? base || "/" : `${base}/${request.path}`;
		for (const [name, value] of Object.entries(request.query ?? {})) url.searchParams.set(name, value);
		return url;
	}

	async function sign(request: S3Request, signWith: S3Credentials) {
		const body = request.body ?? new Uint8Array();
		const signer = new AwsV4Signer({
			method: request.method,
			url: address(request).href,
			headers: { ...request.headers, "x-amz-content-sha256": createHash("sha256").update(body).digest("hex") },
			service: "s3",
			region: options.region,
			accessKeyId: signWith.accessKeyId,
			secretAccessKey: signWith.secretAccessKey,
			...(signWith.sessionToken ? { sessionToken: signWith.sessionToken } : {}),
			cache: signingKeys,
			datetime: new Date(Date.now() + clockSkewMs).toISOString().replace(/[:-]|\.\d{3}/g, ""),
			allHeaders: true,
		});
		const { url, headers } = await signer.sign();
		return { url, headers: Object.fromEntries(headers) };
	}

	async function exchange(request: S3Request, signWith: S3Credentials): Promise<IncomingMessage> {
		const { url, headers } = await sign(request, signWith);
		const sent = (secure ? httpsRequest : httpRequest)(url, {
			method: request.method,
			// Set after signing: proxies may change it.
			headers: { ...headers, "accept-encoding": "identity", "content-length": request.body?.length ?? 0 },
			agent,
			...(options.lookup ? { lookup: options.lookup } : {}),
			...(request.signal ? { signal: request.signal } : {}),
		});
		const answerTimeoutMs = times.answerTimeoutMs + (request.body?.length ?? 0) / times.leastUplinkBytesPerMs;
		const timer = setTimeout(() => sent.destroy(new Error(`no answer in ${answerTimeoutMs} ms`)), answerTimeoutMs);
		try {
			return await new Promise<IncomingMessage>((resolve, reject) => {
				sent.once("response", resolve);
				// Later errors are those of the answer and come out of its stream.
				sent.on("error", reject);
				sent.end(request.body);
			});
		} catch (error) {
			request.signal?.throwIfAborted();
			throw new ObjectStoreError("unavailable", "The object store cannot be reached. Try again later.", error);
		} finally {
			clearTimeout(timer);
		}
	}

	async function attempt(request: S3Request, signWith: S3Credentials): Promise<S3Answer<IncomingMessage>> {
		const message = await exchange(request, signWith);
		const status = message.statusCode ?? 0;
		if (status >= 200 && status < 300) return { status, headers: message.headers, body: message };
		const error = errorOf(status, await textOf(message, times.stallTimeoutMs), `${request.method} ${request.path}`);
		if (error.s3Code === "RequestTimeTooSkewed") {
			const theirs = Date.parse(message.headers.date ?? "");
			if (!Number.isNaN(theirs)) clockSkewMs = theirs - Date.now();
		}
		throw error;
	}

	async function repeated<T>(
		signal: AbortSignal | undefined,
		act: (signWith: S3Credentials) => Promise<T>,
	): Promise<T> {
		const backoff = createBackoff(times.firstRetryMs, times.mostRetryMs);
		const deadlineMs = performance.now() + times.retryBudgetMs;
		for (;;) {
			signal?.throwIfAborted();
			const signWith = credentials.present();
			try {
				return await act(signWith);
			} catch (error) {
				signal?.throwIfAborted();
				if (refusesCredentials(error) && (await credentials.renew(signWith))) continue;
				const waitMs = backoff.nextMs();
				if (!isPassing(error) || performance.now() + waitMs > deadlineMs) throw error;
				await wait(waitMs, undefined, signal ? { signal } : {});
			}
		}
	}

	return {
		times,
		open: (request) => repeated(request.signal, (signWith) => attempt(request, signWith)),
		ask: (request, check) =>
			repeated(request.signal, async (signWith) => {
				const answer = await attempt(request, signWith);
				const body = await textOf(answer.body, times.stallTimeoutMs);
				check?.(body);
				return { ...answer, body };
			}),
	};
}
