import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type BucketAnswer, createBucket, errorAnswer } from "./object-server-bucket.ts";
import { type Credentials, Refusal, verifySignature } from "./object-server-signature.ts";

/**
 * What the store does wrong:
 * - `{ status, code }`: answers with that error and does nothing
 * - `hang`: reads the request and never answers
 * - `stall`, `trickle`, `cut`: sends half of the answer, then nothing, a byte now and then, or an end of the connection
 * - `shorten`, `corrupt`: sends half of the answer as if it were all, or with other bytes
 * - `keep_other_bytes`, `keep_half`: stores other bytes than it was given, or the first half of them, answers success, and
 *   says so by its tag alone
 * - `lie`: says another sum than that of the bytes
 * - `lose_answer`: does what it is asked and ends the connection instead of answering
 */
export type Fault =
	| { status: number; code: string }
	| "hang"
	| "stall"
	| "trickle"
	| "cut"
	| "shorten"
	| "corrupt"
	| "keep_other_bytes"
	| "keep_half"
	| "lie"
	| "lose_answer";

/** What a fault is chosen by. */
export interface AskedOf {
	readonly method: string;
	readonly key: string;
	readonly query: string;
}

export interface ObjectServer {
	readonly url: string;
	readonly port: number;
	readonly bucket: string;
	/** Those that it takes now. */
	readonly credentials: Credentials;
	readonly state: ReturnType<typeof createBucket>;
	/** Every request since the start: `PUT key?query` → status, 0 where none was sent. */
	readonly requests: { method: string; key: string; query: string; status: number }[];
	/** Fails requests from now on; `times` of those that `when` is true for, or all of them. */
	fail(fault: Fault, options?: { times?: number; when?: (request: AskedOf) => boolean }): void;
	/** Does all things right again; answers that hang go on hanging. */
	recover(): void;
	/** Takes these from now on; a session token that it took before has expired. */
	rotate(change: Partial<Credentials>): void;
	/** Moves the store's clock. */
	setClock(aheadMs: number): void;
	/** Changes a byte of an object behind everybody's back. */
	damage(key: string): void;
	close(): Promise<void>;
}

/** A small S3 on loopback that checks what a real one checks, and fails on command. */
export async function startObjectServer(
	options: { pageKeys?: number; sessionToken?: string; bucket?: string } = {},
): Promise<ObjectServer> {
	const bucket = options.bucket ?? "objects";
	let credentials: Credentials = {
		accessKeyId: "AKIDTEST",
		secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
		region: "eu-test-1",
		...(options.sessionToken ? { sessionToken: options.sessionToken } : {}),
	};
	const expiredTokens = new Set<unknown>();
	const state = createBucket(options.pageKeys ?? 1000);
	const requests: ObjectServer["requests"] = [];
	let clockMs = 0;
	let plan: { fault: Fault; left: number; when: (request: AskedOf) => boolean } | undefined;

	function nextFault(request: AskedOf): Fault | undefined {
		if (!plan || plan.left === 0 || !plan.when(request)) return undefined;
		plan.left -= 1;
		return plan.fault;
	}

	async function serve(incoming: IncomingMessage, outgoing: ServerResponse) {
		const chunks: Buffer[] = [];
		for await (const chunk of incoming) chunks.push(chunk);
		let body: Buffer = Buffer.concat(chunks);
		const method = incoming.method ?? "";
		const url = new URL(incoming.url ?? "/", "http://store");
		const path = decodeURIComponent(url.pathname.slice(1));
		const inHost = incoming.headers.host?.startsWith(`${bucket}.`);
		const [first = "", ...rest] = path.split("/");
		const named = inHost ? bucket : first;
		const key = inHost ? path : rest.join("/");
		const record = { method, key, query: url.search.slice(1), status: 0 };
		requests.push(record);
		const fault = nextFault(record);
		if (fault === "hang") return;
		let answer: BucketAnswer;
		try {
			if (expiredTokens.has(incoming.headers["x-amz-security-token"])) throw new Refusal(400, "ExpiredToken");
			verifySignature(incoming, body, credentials, Date.now() + clockMs);
			if (named !== bucket) throw new Refusal(404, "NoSuchBucket");
			if (typeof fault === "object") throw new Refusal(fault.status, fault.code);
			const headers = { ...incoming.headers };
			if (fault === "keep_other_bytes" || fault === "keep_half") {
				delete headers["content-md5"];
				body = fault === "keep_half" ? halfOf(body) : changed(body);
			}
			answer = state.answer({ method, key, query: url.searchParams, headers, body });
		} catch (error) {
			if (!(error instanceof Refusal)) throw error;
			answer = errorAnswer(error.status, error.code);
		}
		if (fault === "lose_answer") return void outgoing.destroy();
		record.status = answer.status;
		send(method, outgoing, answer, fault, new Date(Date.now() + clockMs));
	}

	const server = createServer((incoming, outgoing) => {
		serve(incoming, outgoing).catch((error: unknown) => {
			// A client that went away while it sent is the test's own doing.
			if (!incoming.destroyed || incoming.complete) outgoing.destroy(error instanceof Error ? error : undefined);
		});
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as AddressInfo;

	return {
		url: `http://127.0.0.1:${port}`,
		port,
		bucket,
		get credentials() {
			return credentials;
		},
		state,
		requests,
		fail(fault, { times = Number.POSITIVE_INFINITY, when = () => true } = {}) {
			plan = { fault, left: times, when };
		},
		recover() {
			plan = undefined;
		},
		rotate(change) {
			if (credentials.sessionToken) expiredTokens.add(credentials.sessionToken);
			credentials = { ...credentials, ...change };
		},
		setClock(aheadMs) {
			clockMs = aheadMs;
		},
		damage(key) {
			const found = state.objects.get(key);
			if (!found) throw new Error(`There is no object ${key}.`);
			found.body = changed(found.body);
		},
		async close() {
			const closed = new Promise((resolve) => server.close(resolve));
			server.closeAllConnections();
			await closed;
		},
	};
}

function send(
	method: string,
	outgoing: ServerResponse,
	answer: BucketAnswer,
	fault: Fault | undefined,
	date: Date,
): void {
	const headers = { ...answer.headers };
	let { body } = answer;
	if (fault === "lie") {
		if (headers.etag) headers.etag = headers.etag.replace(/[0-9a-f]/, (digit) => (digit === "0" ? "1" : "0"));
		if (headers["x-amz-meta-sha256"]) headers["x-amz-meta-sha256"] = "0".repeat(64);
	}
	if (fault === "corrupt") body = changed(body);
	const half = halfOf(body);
	if (fault === "shorten") body = half;
	headers["content-length"] = method === "HEAD" ? (headers["content-length"] ?? "0") : String(body.length);
	headers.date = date.toUTCString();
	if (method === "HEAD") body = Buffer.alloc(0);
	outgoing.writeHead(answer.status, headers);
	if (fault === "stall") outgoing.write(half);
	else if (fault === "cut") outgoing.write(half, () => outgoing.destroy());
	else if (fault === "trickle") {
		let sent = 0;
		const timer = setInterval(() => sent < half.length && outgoing.write(body.subarray(sent, ++sent)), 10);
		outgoing.once("close", () => clearInterval(timer));
	} else outgoing.end(body);
}

function halfOf(body: Buffer): Buffer {
	return body.subarray(0, Math.floor(body.length / 2));
}

function changed(body: Buffer): Buffer {
	const copy = Buffer.from(body);
	const middle = Math.floor(copy.length / 2);
	if (copy.length > 0) copy[middle] = (copy[middle] ?? 0) ^ 1;
	return copy;
}
