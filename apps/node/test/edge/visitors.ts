/** Visitors of an edge, as its tests play them, and what answers them behind it. */
import { once } from "node:events";
import { chmod } from "node:fs/promises";
import {
	createServer,
	type IncomingHttpHeaders,
	type IncomingMessage,
	type RequestListener,
	request,
	type Server,
} from "node:http";
import { connect as http2Connect, type IncomingHttpStatusHeader } from "node:http2";
import { connect } from "node:net";

export interface Answer {
	status: number;
	headers: IncomingHttpHeaders;
	body: string;
}

export interface Visit {
	method?: string;
	path?: string;
	headers?: Record<string, string | string[]>;
	body?: string;
}

/** What a request looked like when it reached a container. */
export interface Seen {
	method: string;
	url: string;
	headers: IncomingHttpHeaders;
	names: string[];
}

export interface Visitors {
	/** One request over a connection of its own. */
	visit(host: string, options?: Visit): Promise<Answer>;
	/** Sends the text as it stands and returns all that comes back until the edge closes. */
	raw(text: string): Promise<string>;
}

export async function readAll(stream: IncomingMessage): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of stream) chunks.push(chunk as Buffer);
	return Buffer.concat(chunks).toString();
}

/** A listener that answers every request with what it saw of it. */
export const reflect: RequestListener = (incoming, response) => {
	incoming.resume();
	const seen: Seen = {
		method: incoming.method ?? "",
		url: incoming.url ?? "",
		headers: incoming.headers,
		names: incoming.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()),
	};
	response.setHeader("content-type", "application/json");
	response.end(JSON.stringify(seen));
};

/** Visitors of the edge that listens at this address. */
export function visitorsOf(address: string, port: number): Visitors {
	function visit(host: string, options: Visit = {}): Promise<Answer> {
		return new Promise((resolve, reject) => {
			const outgoing = request({
				host: address,
				port,
				agent: false,
				setHost: false,
				method: options.method ?? "GET",
				path: options.path ?? "/",
				headers: { host: `${host}:${port}`, ...options.headers },
			});
			outgoing.on("error", reject);
			outgoing.on("response", (response) => {
				readAll(response).then(
					(body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
					reject,
				);
			});
			outgoing.end(options.body);
		});
	}

	function raw(text: string): Promise<string> {
		return new Promise((resolve, reject) => {
			let received = "";
			const socket = connect(port, address, () => socket.write(text));
			socket.on("data", (chunk) => {
				received += chunk;
			});
			socket.on("error", reject);
			socket.on("close", () => resolve(received));
		});
	}

	return { visit, raw };
}

export interface Http2Answer {
	headers: IncomingHttpHeaders & IncomingHttpStatusHeader;
	trailers: IncomingHttpHeaders;
	body: string;
}

/** One request by HTTP/2 over TLS, over a connection of its own. */
export async function askHttp2(
	edge: { address: string; port: number; ca: string },
	servername: string,
	{ headers, body }: { headers: Record<string, string>; body?: Buffer | undefined },
): Promise<Http2Answer> {
	const session = http2Connect(`https://${edge.address}:${edge.port}`, { ca: edge.ca, servername });
	try {
		const stream = session.request(headers, { endStream: body === undefined });
		if (body) stream.end(body);
		let answered: Http2Answer["headers"] = {};
		let trailers: IncomingHttpHeaders = {};
		stream.on("response", (value) => {
			answered = value;
		});
		stream.on("trailers", (value) => {
			trailers = value;
		});
		const chunks: Buffer[] = [];
		for await (const chunk of stream) chunks.push(chunk as Buffer);
		return { headers: answered, trailers, body: Buffer.concat(chunks).toString() };
	} finally {
		session.destroy();
	}
}

/** Listens at a unix socket that the edge's workers may open. */
export async function serveAt(path: string, listener: RequestListener): Promise<Server> {
	const server = createServer(listener).listen(path);
	await once(server, "listening");
	await chmod(path, 0o777);
	return server;
}
