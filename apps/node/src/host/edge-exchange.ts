import { request } from "node:http";
import { RepldockError } from "@repldock/protocol";

export interface EdgeAnswer {
	status: number;
	body: string;
}

export interface ExchangeOptions {
	signal?: AbortSignal;
	timeoutMs?: number;
}

/** Longest time for one exchange; a table of 50,000 routes takes the edge well below a second. */
const exchangeTimeoutMs = 10_000;

/**
 * One request over the edge's admin socket.
 * @throws RepldockError `node_unreachable` when there is no answer in time.
 */
export function exchange(
	socketPath: string,
	method: string,
	path: string,
	body?: string,
	options: ExchangeOptions = {},
): Promise<EdgeAnswer> {
	return new Promise((resolve, reject) => {
		const fail = (cause: Error) =>
			reject(
				new RepldockError("node_unreachable", "The node's web server does not answer. Try again in a few seconds.", {
					cause,
				}),
			);
		const payload = body === undefined ? undefined : Buffer.from(body);
		const outgoing = request({
			socketPath,
			path,
			method,
			agent: false,
			timeout: options.timeoutMs ?? exchangeTimeoutMs,
			headers: payload ? { "content-type": "application/json", "content-length": payload.length } : {},
			...(options.signal ? { signal: options.signal } : {}),
		});
		outgoing.on("timeout", () => outgoing.destroy(new Error("the edge took too long")));
		outgoing.on("error", fail);
		outgoing.on("response", (response) => {
			const chunks: Buffer[] = [];
			response.on("data", (chunk: Buffer) => chunks.push(chunk));
			response.on("error", fail);
			response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
		});
		outgoing.end(payload);
	});
}
