import type { IncomingMessage } from "node:http";
import { ObjectStoreError } from "../errors.ts";

/** A sender that brings fewer bytes than these within the stall time is taken for hung, even if it trickles. */
export const leastBytes = 64 * 1024;

/** Answers that are read whole are pages of at most 1,000 keys. */
const mostTextBytes = 16 * 1024 * 1024;

/**
 * The bytes of an answer. Only the time that we wait for the store counts against it, not the reader's own pauses.
 * @throws ObjectStoreError `unavailable` when the answer stalls, trickles or ends too early.
 */
export async function* bodyOf(message: IncomingMessage, stallTimeoutMs: number): AsyncGenerator<Buffer> {
	const chunks: AsyncIterator<Buffer> = message[Symbol.asyncIterator]();
	let waitedMs = 0;
	let bytes = 0;
	try {
		for (;;) {
			const startedAtMs = performance.now();
			const stalled = () =>
				message.destroy(new ObjectStoreError("unavailable", "The object store stalled in the middle of an answer."));
			const timer = setTimeout(stalled, Math.max(0, stallTimeoutMs - waitedMs));
			const next = await chunks.next().finally(() => clearTimeout(timer));
			if (next.done) break;
			waitedMs += performance.now() - startedAtMs;
			bytes += next.value.length;
			if (bytes >= leastBytes) {
				bytes = 0;
				waitedMs = 0;
			}
			yield next.value;
		}
		if (!message.complete) throw new Error("the connection ended");
	} catch (error) {
		if (error instanceof ObjectStoreError) throw error;
		throw new ObjectStoreError("unavailable", "The object store broke off in the middle of an answer.", error);
	} finally {
		message.destroy();
	}
}

export async function textOf(message: IncomingMessage, stallTimeoutMs: number): Promise<string> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	for await (const chunk of bodyOf(message, stallTimeoutMs)) {
		bytes += chunk.length;
		if (bytes > mostTextBytes) throw new ObjectStoreError("refused", "The object store's answer is too long.");
		chunks.push(chunk);
	}
	return Buffer.concat(chunks).toString();
}
