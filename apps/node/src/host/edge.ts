import { chmod } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import {
	EdgeCounters,
	RepldockError,
	type Route,
	type RouteChange,
	type RouteTable,
	VisitBatch,
} from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import { z } from "zod";
import type { Edge } from "../host.ts";
import { type EdgeAnswer, type ExchangeOptions, exchange } from "./edge-exchange.ts";

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

/** The edge answers after 20 s when nobody visits. */
const visitsTimeoutMs = 30_000;

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
	const routes = new Map<string, Route>();
	let revision: number | undefined;
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
		const answer = await exchange(socketPath, "GET", "/routes");
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
		const table: RouteTable = { revision, routes: [...routes.values()] };
		try {
			// NGINX opens its unix sockets to every user of the machine.
			await chmod(socketPath, 0o600);
		} catch (cause) {
			throw new RepldockError("node_unreachable", "The node's web server does not run.", { cause });
		}
		accepted(await exchange(socketPath, "PUT", "/routes", JSON.stringify(table)));
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
				const answer = await exchange(socketPath, "PATCH", "/routes", JSON.stringify(change));
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

	/** Asks aside of the queue of route changes: what is answered has nothing to do with them. */
	async function ask(path: string, options: ExchangeOptions = {}): Promise<unknown> {
		const answer = await exchange(socketPath, "GET", path, undefined, options);
		if (answer.status !== 200)
			throw new RepldockError("internal", `The edge answered ${answer.status} to GET ${path}.`);
		return JSON.parse(answer.body);
	}

	return {
		report,
		replaceRoutes,
		changeRoutes,
		watch,

		async counters(projectId) {
			return EdgeCounters.parse(await ask(`/counters${projectId ? `?project=${projectId}` : ""}`));
		},

		async nextVisits(signal) {
			return VisitBatch.parse(await ask("/visits", { signal, timeoutMs: visitsTimeoutMs }));
		},
	};
}
