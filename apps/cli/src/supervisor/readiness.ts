import { request } from "node:http";
import { connect } from "node:net";

/** Where to ask: a unix socket, or a TCP port of this machine. */
export type Endpoint = { socketPath: string } | { host: string; port: number };

/** Whether something answers this path with a status below 400 within two seconds. */
export function answers(endpoint: Endpoint, path: string, headers: Record<string, string> = {}): Promise<boolean> {
	return new Promise((resolve) => {
		const outgoing = request({ ...endpoint, path, headers, timeout: 2_000 }, (incoming) => {
			incoming.resume();
			resolve((incoming.statusCode ?? 500) < 400);
		});
		outgoing.on("timeout", () => outgoing.destroy());
		outgoing.on("error", () => resolve(false));
		outgoing.end();
	});
}

/** Whether something accepts connections there. */
export function accepts(endpoint: Endpoint): Promise<boolean> {
	return new Promise((resolve) => {
		const target = "socketPath" in endpoint ? { path: endpoint.socketPath } : endpoint;
		const socket = connect(target, () => {
			socket.destroy();
			resolve(true);
		});
		socket.once("error", () => resolve(false));
	});
}
