import type { IncomingMessage } from "node:http";
import { finished, PassThrough, type Readable } from "node:stream";
import { parseInput, RepldockError } from "@repldock/protocol";
import type { z } from "zod";

const jsonMaxBytes = 64 * 1024;

/** The edge closes the connection as soon as it has the answer; this is for one that hangs. */
const lingerMs = 30_000;

/** @throws RepldockError `invalid_input`, also for a body that is too long or no JSON. */
export async function readJson<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
	const chunks: Buffer[] = [];
	let length = 0;
	for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
		length += chunk.length;
		if (length > jsonMaxBytes) throw new RepldockError("invalid_input", "The request is too long.");
		chunks.push(chunk);
	}
	let value: unknown;
	try {
		value = length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString("utf8"));
	} catch (error) {
		throw new RepldockError("invalid_input", "The request is not JSON.", { cause: error });
	}
	return parseInput(schema, value);
}

/** The request's body as a stream of its own: who destroys it, for whatever reason, leaves the way for an answer. */
export function openBody(request: IncomingMessage): Readable {
	const body = new PassThrough();
	// Also one that broke off before somebody came to read it.
	finished(request, { writable: false }, (error) => error && body.destroy(error));
	return request.pipe(body);
}

/**
 * Reads on, to nobody, what is left of a request that was answered before all of it had come: an upload that has no
 * room. Closing instead would meet the edge while it still sends; it would take that for a broken agent, and never look
 * at the answer.
 */
export function dropUnreadBody(request: IncomingMessage, withinMs = lingerMs): void {
	if (request.readableEnded || request.destroyed) return;
	const timer = setTimeout(() => request.socket.destroy(), withinMs);
	timer.unref();
	request.once("close", () => clearTimeout(timer));
	request.resume();
}
