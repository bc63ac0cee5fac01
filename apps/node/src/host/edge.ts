import { chmod } from "node:fs/promises";
import { request } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { RepldockError, type RouteChange, type RouteEntry, type RouteTable } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import { z } from "zod";
import type { Edge } from "../host.ts";

const TableReport = z.object({ revision: z.int().nullable(), count: z.int() });
export type TableReport = z.infer<typeof TableReport>;

/** The node's edge, seen from the agent. */
export interface NodeEdge extends Edge {
	/**
	 * What the edge holds; `revision` is null before its first table.
	 * @throws RepldockError `node_unreachable` when it does not run.
	 */
	report(): Promise<TableReport>;
	/**
	 * Gives the edge the last table again whenever it holds another one, as after a restart of NGINX. Call it once;
	 * resolves when the signal aborts.
	 */
	watch(signal: AbortSignal): Promise<void>;
}

interface EdgeAnswer {
	status: number;
	body: string;
}

/** Longest time for one exchange; a table of 50,000 routes takes the edge well below a second. */
const exchangeTimeoutMs = 10_000;

function exchange(socketPath: string, method: string, body?: string): Promise<EdgeAnswer> {
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
			path: "/routes",
			method,
			agent: false,
			timeout: exchangeTimeoutMs,
			headers: payload ? { "content-type": "application/json", "content-length": payload.length } : {},
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

function isUnreachable(error: unknown): boolean {
	return error instanceof RepldockError && error.code === "node_unreachable";
}

/**
 * Drives the edge over its admin socket. It keeps the last table, so a call succeeds while NGINX is down: `watch` brings
 * the table over when NGINX is back. Calls take effect in the order in which they were made.
 *
 * `replaceRoutes` comes first; `changeRoutes` throws RepldockError `stale_generation` when the change's revision is not
 * above the last one. Both throw `internal` when the edge refuses what it was sent.
 */
export function createEdge(options: { socketPath: string; log: Logger; pollIntervalMs?: number }): NodeEdge {
	const { socketPath, log } = options;
	const pollIntervalMs = options.pollIntervalMs ?? 250;
	const routes = new Map<string, RouteEntry>();
	let revision: number | undefined;
	let hopSecret: string | undefined;
	let isReachable = true;
	let last: Promise<unknown> = Promise.resolve();

	/** Runs one exchange after the other; a failed one does not hold up the next. */
	function inTurn<T>(work: () => Promise<T>): Promise<T> {
		const result = last.then(work);
		last = result.catch(() => undefined);
		return result;
	}

	function noteReachable(now: boolean, error?: unknown) {
		if (now === isReachable) return;
		isReachable = now;
		if (now) log.info({ socketPath }, "the edge answers again");
		else log.warn({ socketPath, err: error }, "the edge does not answer; it gets the routes when it is back");
	}

	async function report(): Promise<TableReport> {
		const answer = await exchange(socketPath, "GET");
		if (answer.status !== 200)
			throw new RepldockError("internal", `The edge answered ${answer.status} to GET /routes.`);
		return TableReport.parse(JSON.parse(answer.body));
	}

	function accepted(answer: EdgeAnswer): void {
		if (answer.status !== 200) {
			throw new RepldockError("internal", `The edge refused the routes (${answer.status}).`, { cause: answer.body });
		}
	}

	async function putTable(): Promise<void> {
		if (revision === undefined) return;
		const table: RouteTable = { revision, routes: [...routes.values()], ...(hopSecret ? { hopSecret } : {}) };
		try {
			// NGINX opens its unix sockets to every user of the machine.
			await chmod(socketPath, 0o600);
		} catch (cause) {
			throw new RepldockError("node_unreachable", "The node's web server does not run.", { cause });
		}
		accepted(await exchange(socketPath, "PUT", JSON.stringify(table)));
	}

	/** Carries it over, or leaves it to `watch` when the edge cannot be reached. */
	async function deliver(send: () => Promise<void>): Promise<void> {
		try {
			await send();
			noteReachable(true);
		} catch (error) {
			if (!isUnreachable(error)) throw error;
			noteReachable(false, error);
		}
	}

	async function replaceRoutes(table: RouteTable): Promise<void> {
		return inTurn(async () => {
			revision = table.revision;
			hopSecret = table.hopSecret;
			routes.clear();
			for (const route of table.routes) routes.set(route.slug, route);
			await deliver(putTable);
		});
	}

	async function changeRoutes(change: RouteChange): Promise<void> {
		return inTurn(async () => {
			if (revision === undefined) throw new RepldockError("internal", "The edge's first routes are a whole table.");
			if (change.revision <= revision) {
				throw new RepldockError(
					"stale_generation",
					`Routes are at revision ${revision}; ${change.revision} came too late.`,
				);
			}
			revision = change.revision;
			for (const slug of change.removed) routes.delete(slug);
			for (const route of change.set) routes.set(route.slug, route);
			await deliver(async () => {
				const answer = await exchange(socketPath, "PATCH", JSON.stringify(change));
				// It holds another table than we think, for example none after a restart.
				if (answer.status === 409) return putTable();
				accepted(answer);
			});
		});
	}

	async function mend(): Promise<void> {
		const held = await report();
		if (revision === undefined || held.revision === revision) return;
		await putTable();
		log.info({ revision, heldRevision: held.revision, count: routes.size }, "the edge was given its routes again");
	}

	async function watch(signal: AbortSignal): Promise<void> {
		while (!signal.aborted) {
			try {
				await inTurn(() => deliver(mend));
			} catch (error) {
				log.error({ err: error }, "the edge's routes could not be restored");
			}
			// Rejects when the signal aborts, which the loop's condition then sees.
			await wait(pollIntervalMs, undefined, { signal }).catch(() => undefined);
		}
	}

	return { report, replaceRoutes, changeRoutes, watch };
}
