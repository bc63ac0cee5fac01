import type { IncomingMessage } from "node:http";
import { parseInput, RepldockError } from "@repldock/protocol";
import type { z } from "zod";

const jsonMaxBytes = 64 * 1024;

/** @throws RepldockError `invalid_input`, also for a body that is too long or no JSON. */
export async function readJson<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
	const chunks: Buffer[] = [];
	let length = 0;
	for await (const chunk of request as AsyncIterable<Buffer>) {
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
