import { chmod } from "node:fs/promises";
import { request } from "node:http";
import { RepldockError } from "@repldock/protocol";
import { z } from "zod";

const TableReport = z.object({ revision: z.int().nullable(), count: z.int() });
/** What the edge holds of one table; `revision` is null before it got one. */
export type TableReport = z.infer<typeof TableReport>;

interface EdgeAnswer {
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
 * One request on the edge's admin socket.
 * @throws RepldockError `node_unreachable` when there is no answer in time.
 */
export function exchange(
	socketPath: string,
	method: string,
	path: string,
	body?: unknown,
	options: ExchangeOptions = {},
): Promise<EdgeAnswer> {
	return new Promise((resolve, reject) => {
		const fail = (cause: Error) =>
			reject(
				new RepldockError("node_unreachable", "The node's web server does not answer. Try again in a few seconds.", {
					cause,
				}),
			);
		const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
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

/** Replaces a whole table of the edge. */
export async function putTable(socketPath: string, path: string, table: unknown): Promise<void> {
	try {
		// NGINX opens its unix sockets to every user of the machine.
		await chmod(socketPath, 0o600);
	} catch (cause) {
		throw new RepldockError("node_unreachable", "The node's web server does not run.", { cause });
	}
	requireAccepted(await exchange(socketPath, "PUT", path, table), path);
}

/** @throws RepldockError `internal` when the edge refused what it was sent. */
export function requireAccepted(answer: EdgeAnswer, path: string): void {
	if (answer.status !== 200) {
		throw new RepldockError("internal", `The edge refused ${path} (${answer.status}).`, { cause: answer.body });
	}
}

/** What the edge answers to a GET, not parsed further than JSON. */
export async function readJson(socketPath: string, path: string, options: ExchangeOptions = {}): Promise<unknown> {
	const answer = await exchange(socketPath, "GET", path, undefined, options);
	if (answer.status !== 200) throw new RepldockError("internal", `The edge answered ${answer.status} to GET ${path}.`);
	return JSON.parse(answer.body);
}

export async function readReport(socketPath: string, path: string): Promise<TableReport> {
	return TableReport.parse(await readJson(socketPath, path));
}

/** A table that is always sent whole: `name` is its address and its list's in the body. */
export interface WholeTable<Item> {
	/** Keeps the list and sends it. */
	replace(items: readonly Item[]): Promise<void>;
	/** Sends the last list again if the edge holds another one. @returns whether it did. */
	mend(): Promise<boolean>;
}

export function createWholeTable<Item>(socketPath: string, name: "certificates" | "challenges"): WholeTable<Item> {
	let items: readonly Item[] | undefined;
	// Rises over restarts of the agent as well, as long as the clock does not go back.
	let revision = Date.now();
	const send = () => putTable(socketPath, `/${name}`, { revision, [name]: items });
	return {
		async replace(latest) {
			items = latest;
			revision = Math.max(revision + 1, Date.now());
			await send();
		},
		async mend() {
			if (!items || (await readReport(socketPath, `/${name}`)).revision === revision) return false;
			await send();
			return true;
		},
	};
}
