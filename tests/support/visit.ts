import { request } from "node:http";
import { WebSocket } from "ws";

export interface Visit {
	status: number;
	headers: Record<string, string | string[] | undefined>;
	body: string;
}

/**
 * Visits an app by its host name on this machine. The name goes into the Host header and the connection to the
 * loopback address, since not every resolver knows names below `localhost`.
 */
export function visit(
	url: string,
	options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Visit> {
	const target = new URL(url);
	return new Promise((resolve, reject) => {
		const outgoing = request(
			{
				host: "127.0.0.1",
				port: target.port,
				path: target.pathname + target.search,
				method: options.method ?? "GET",
				headers: { ...options.headers, host: target.host },
			},
			(incoming) => {
				const chunks: Buffer[] = [];
				incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
				incoming.on("error", reject);
				incoming.on("end", () =>
					resolve({
						status: incoming.statusCode ?? 0,
						headers: incoming.headers,
						body: Buffer.concat(chunks).toString(),
					}),
				);
			},
		);
		outgoing.on("error", reject);
		outgoing.end(options.body);
	});
}

/** A WebSocket to an app, by the same rule. */
export function visitSocket(url: string, path: string): Promise<WebSocket> {
	const target = new URL(path, url);
	const socket = new WebSocket(`ws://127.0.0.1:${target.port}${target.pathname}${target.search}`, {
		headers: { host: target.host },
		perMessageDeflate: false,
	});
	return new Promise((resolve, reject) => {
		socket.once("open", () => resolve(socket));
		socket.once("error", reject);
	});
}
