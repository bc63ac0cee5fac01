import type { IncomingMessage } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { createBackoff } from "@repldock/service";
import { ObjectStoreError } from "../errors.ts";
import { bodyOf, leastBytes } from "./body.ts";
import type { S3Answer, S3Client } from "./client.ts";
import { isPassing } from "./errors.ts";
import { createCheck } from "./sums.ts";

interface Reading {
	readonly client: S3Client;
	readonly key: string;
	readonly path: string;
	readonly range: { start: number; end: number } | undefined;
	readonly signal: AbortSignal | undefined;
}

/** @throws S3Error `not_found`, or with the code `InvalidRange` when it begins behind the object's end. */
export async function openObject(reading: Reading, start: number, tag?: string): Promise<S3Answer<IncomingMessage>> {
	const { client, path, range, signal } = reading;
	const isPart = range !== undefined || start > 0;
	const answer = await client.open({
		method: "GET",
		path,
		headers: {
			...(isPart ? { range: `bytes=${start}-${range ? range.end - 1 : ""}` } : {}),
			...(tag ? { "if-match": tag } : {}),
		},
		signal,
	});
	if (isPart === (answer.status === 206)) return answer;
	answer.body.destroy();
	throw new ObjectStoreError("refused", "The object store does not answer ranges as S3 does.");
}

/**
 * The bytes of an object that was opened. When the answer breaks off, the rest is asked for, and only of the same
 * version, until next to nothing more has come for as long as a request may be repeated: a store that trickles in each
 * answer would hold the reader for ever. The reader's own pauses do not count.
 */
export async function* readObject(reading: Reading, opened: S3Answer<IncomingMessage>): AsyncGenerator<Buffer> {
	const { client, key, range, signal } = reading;
	const check = range ? undefined : createCheck(key, opened.headers);
	const backoff = createBackoff(client.times.firstRetryMs, client.times.mostRetryMs);
	let position = range?.start ?? 0;
	let lastProgressMs = performance.now();
	let sinceProgress = 0;
	for (let answer: S3Answer<IncomingMessage> | undefined = opened; ; ) {
		try {
			answer ??= await openObject(reading, position, opened.headers.etag);
			for await (const chunk of bodyOf(answer.body, client.times.stallTimeoutMs)) {
				check?.take(chunk);
				position += chunk.length;
				sinceProgress += chunk.length;
				const gotMs = performance.now();
				if (sinceProgress >= leastBytes) {
					sinceProgress = 0;
					lastProgressMs = gotMs;
					backoff.reset();
				}
				yield chunk;
				lastProgressMs += performance.now() - gotMs;
			}
			break;
		} catch (error) {
			signal?.throwIfAborted();
			const waitMs = backoff.nextMs();
			const isOver = performance.now() + waitMs - lastProgressMs > client.times.retryBudgetMs;
			if (isOver || !isPassing(error) || !opened.headers.etag) throw error;
			answer = undefined;
			await wait(waitMs, undefined, signal ? { signal } : {});
		}
	}
	check?.finish();
}
