import { Agent, type IncomingMessage, type RequestOptions, request } from "node:http";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { z } from "zod";

/** The engine refused a call or did not answer. `status` is 0 when there was no answer at all. */
export class EngineError extends Error {
	readonly status: number;

	constructor(status: number, message: string, cause?: unknown) {
		super(message, cause === undefined ? undefined : { cause });
		this.name = "EngineError";
		this.status = status;
	}
}

/** The oldest API that has all we need (engine 20.10), and the newest that we know how to read. */
const oldestVersion = [1, 41] as const;
const newestVersion = [1, 44] as const;

/** Calls that only ask or tell; a stop may take its own time on top. */
const callTimeoutMs = 60_000;
const idleConnections = 8;

const Refusal = z.object({ message: z.string() });

export interface EngineCall {
	method: "GET" | "POST" | "DELETE" | "HEAD";
	/** Path below the API version, with its query. */
	path: string;
	body?: unknown;
	/** Statuses besides 2xx that the caller understands. */
	accept?: readonly number[];
	timeoutMs?: number;
}

export interface EngineHttp {
	/** Minor number of the API version that both sides speak (the major one is 1). */
	minorVersion(): Promise<number>;
	/** One call. Answers the status and the JSON that came with it (`null` for none). */
	call(call: EngineCall): Promise<{ status: number; json: unknown }>;
	/** Sends a stream as the body and reads the answer to its end. */
	upload(path: string, body: Readable): Promise<string>;
	/** An answer that goes on for ever, on a connection of its own. */
	follow(path: string, signal: AbortSignal): Promise<IncomingMessage>;
	/** A call that turns its connection into a raw stream. What came with the answer is still to be read from it. */
	hijack(path: string, body: unknown): Promise<Socket>;
}

/** HTTP over the engine's unix socket, in an API version that both sides know. */
export function createEngineHttp(socketPath: string): EngineHttp {
	const agent = new Agent({ keepAlive: true, maxFreeSockets: idleConnections });
	let version: Promise<string> | undefined;

	/** Asked once; an engine that did not answer is asked again the next time. */
	function apiVersion(): Promise<string> {
		version ??= negotiate().catch((error: unknown) => {
			version = undefined;
			throw error;
		});
		return version;
	}

	async function negotiate(): Promise<string> {
		const response = await send({ method: "GET", path: "/_ping", timeout: callTimeoutMs, agent });
		await readText(response);
		if (response.statusCode !== 200) throw new EngineError(response.statusCode ?? 0, "The engine is not well.");
		return chooseVersion(String(response.headers["api-version"] ?? ""));
	}

	/** One request up to the head of its answer. A kept connection that the engine closed meanwhile is tried once more. */
	async function send(options: RequestOptions, body?: string | Readable): Promise<IncomingMessage> {
		return new Promise((resolve, reject) => {
			const outgoing = request({ socketPath, host: "engine", ...options }, resolve);
			outgoing.on("timeout", () => outgoing.destroy(new Error("the engine took too long to answer")));
			outgoing.on("error", (error: NodeJS.ErrnoException) => {
				const stale = outgoing.reusedSocket && error.code === "ECONNRESET" && !(body instanceof Object);
				if (stale) send({ ...options, agent: false }, body).then(resolve, reject);
				else reject(new EngineError(0, `The engine cannot be reached: ${error.message}`, error));
			});
			if (body instanceof Object) {
				pipeline(body, outgoing).catch((error: unknown) => reject(error));
			} else outgoing.end(body);
		});
	}

	return {
		minorVersion: async () => Number((await apiVersion()).split(".")[1]),

		async call({ method, path, body, accept = [], timeoutMs = callTimeoutMs }) {
			const text = body === undefined ? undefined : JSON.stringify(body);
			const response = await send(
				{ method, path: `${await apiVersion()}${path}`, timeout: timeoutMs, agent, headers: jsonHeaders(text) },
				text,
			);
			const answer = await readText(response);
			const status = response.statusCode ?? 0;
			if ((status < 200 || status > 299) && !accept.includes(status)) throw refusal(status, answer);
			return { status, json: readJson(response, answer) };
		},

		async upload(path, body) {
			const headers = { "content-type": "application/x-tar", "transfer-encoding": "chunked" };
			const response = await send(
				{ method: "POST", path: `${await apiVersion()}${path}`, agent: false, headers },
				body,
			);
			const answer = await readText(response);
			if (response.statusCode !== 200) throw refusal(response.statusCode ?? 0, answer);
			return answer;
		},

		async follow(path, signal) {
			const response = await send({ method: "GET", path: `${await apiVersion()}${path}`, agent: false, signal });
			if (response.statusCode !== 200) throw refusal(response.statusCode ?? 0, await readText(response));
			return response;
		},

		async hijack(path, body) {
			const text = JSON.stringify(body);
			const headers = { ...jsonHeaders(text), connection: "Upgrade", upgrade: "tcp" };
			const options = { socketPath, host: "engine", method: "POST", path: `${await apiVersion()}${path}`, headers };
			return new Promise((resolve, reject) => {
				const outgoing = request({ ...options, agent: false, timeout: callTimeoutMs });
				outgoing.on("upgrade", (_response, socket: Socket, head) => {
					socket.setTimeout(0);
					// Node stopped reading after the head; bytes that it read past it go back to the front.
					if (head.length > 0) socket.unshift(head);
					resolve(socket);
				});
				outgoing.on("response", (response) => {
					readText(response).then((answer) => reject(refusal(response.statusCode ?? 0, answer)), reject);
				});
				outgoing.on("timeout", () => outgoing.destroy(new Error("the engine took too long to answer")));
				outgoing.on("error", (error) => {
					reject(new EngineError(0, `The engine cannot be reached: ${error.message}`, error));
				});
				outgoing.end(text);
			});
		},
	};
}

/** @throws EngineError when the engine is older than all we can speak with. */
function chooseVersion(offered: string): string {
	const [major = 0, minor = 0] = offered.split(".").map(Number);
	const [newestMajor, newestMinor] = newestVersion;
	if (major < oldestVersion[0] || (major === oldestVersion[0] && minor < oldestVersion[1])) {
		throw new EngineError(0, `The engine speaks API ${offered || "?"}; ${oldestVersion.join(".")} or newer is needed.`);
	}
	return major === newestMajor && minor <= newestMinor ? `/v${offered}` : `/v${newestVersion.join(".")}`;
}

function jsonHeaders(text: string | undefined): Record<string, string | number> {
	// POST without a body must say so, else newer engines wait for one.
	if (text === undefined) return { "content-length": 0 };
	return { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
}

async function readText(response: IncomingMessage): Promise<string> {
	const parts: Buffer[] = [];
	try {
		for await (const part of response) parts.push(part as Buffer);
	} catch (error) {
		throw new EngineError(0, "The engine's answer broke off.", error);
	}
	return Buffer.concat(parts).toString();
}

function readJson(response: IncomingMessage, text: string): unknown {
	if (text === "" || !response.headers["content-type"]?.startsWith("application/json")) return null;
	return JSON.parse(text);
}

function refusal(status: number, text: string): EngineError {
	let message = text.trim();
	try {
		message = Refusal.parse(JSON.parse(text)).message;
	} catch {
		// Not the engine's usual shape: its text as it stands says most.
	}
	return new EngineError(status, message || `The engine answered ${status}.`);
}
