import type { IncomingMessage, ServerResponse } from "node:http";
import { RepldockError, toProblem } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import { bearsNodeToken } from "./node-token.ts";

/** Answers questions that nodes ask over HTTP: JSON in, JSON out, the node token in between. */
export function answerNodes(options: {
	readonly nodeToken: string;
	readonly bodyMaxBytes: number;
	readonly answer: (question: unknown) => Promise<object>;
	readonly log: Logger;
}): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
	const { nodeToken, bodyMaxBytes, log } = options;

	async function answer(request: IncomingMessage): Promise<object> {
		if (!bearsNodeToken(request, nodeToken)) throw new RepldockError("not_allowed", "Only nodes may ask this.");
		if (request.method !== "POST") throw new RepldockError("invalid_input", "Use POST.");
		return options.answer(await readJson(request, bodyMaxBytes));
	}

	return async (request, response) => {
		let [status, body]: [number, object] = [200, {}];
		try {
			body = await answer(request);
		} catch (error) {
			const problem = toProblem(error);
			if (problem.code === "internal") log.error({ err: error }, "a node's question failed");
			[status, body] = [problem.status, problem];
		}
		response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
		response.end(JSON.stringify(body));
	};
}

/** @throws RepldockError `invalid_input` */
async function readJson(request: IncomingMessage, bodyMaxBytes: number): Promise<unknown> {
	let text = "";
	for await (const chunk of request.setEncoding("utf8")) {
		text += chunk;
		if (text.length > bodyMaxBytes) throw new RepldockError("invalid_input", "This is too long for a question.");
	}
	try {
		return JSON.parse(text);
	} catch (cause) {
		throw new RepldockError("invalid_input", "This is not JSON.", { cause });
	}
}
