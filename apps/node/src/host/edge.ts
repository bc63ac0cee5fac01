import { setTimeout as wait } from "node:timers/promises";
import {
	Activity,
	type EdgeCertificate,
	type EdgeChallenge,
	EdgeCounters,
	RepldockError,
	type RouteChange,
	type RouteEntry,
	type RouteTable,
	VisitBatch,
} from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { Edge } from "../host.ts";
import {
	createWholeTable,
	exchange,
	putTable,
	readJson,
	readReport,
	requireAccepted,
	type TableReport,
} from "./edge-exchange.ts";

/** The node's edge, seen from the agent. */
export interface NodeEdge extends Edge {
	/**
	 * The routes that the edge holds.
	 * @throws RepldockError `node_unreachable` when it does not run.
	 */
	report(): Promise<TableReport>;
	/**
	 * Gives the edge its last tables again whenever it holds others, as after a restart of NGINX. Call it once;
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
	const routes = new Map<string, RouteEntry>();
	const certificates = createWholeTable<EdgeCertificate>(socketPath, "certificates");
	const challenges = createWholeTable<EdgeChallenge>(socketPath, "challenges");
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

	const report = () => readReport(socketPath, "/routes");

	async function putRoutes(): Promise<void> {
		if (revision === undefined) return;
		const table: RouteTable = { revision, routes: [...routes.values()], ...(hopSecret ? { hopSecret } : {}) };
		await putTable(socketPath, "/routes", table);
	}

	async function activity(projectId?: string): Promise<Activity> {
		const query = projectId === undefined ? "" : `?project=${encodeURIComponent(projectId)}`;
		return Activity.parse(await readJson(socketPath, `/activity${query}`));
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
			await deliver(putRoutes);
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
				const answer = await exchange(socketPath, "PATCH", "/routes", change);
				// It holds another table than we think, for example none after a restart.
				if (answer.status === 409) return putRoutes();
				requireAccepted(answer, "/routes");
			});
		});
	}

	async function mend(): Promise<void> {
		// First, since visitors by TLS wait for them before they can ask for anything.
		if (await certificates.mend()) log.info("the edge was given its certificates again");
		await challenges.mend();
		const held = await report();
		if (revision === undefined || held.revision === revision) return;
		await putRoutes();
		log.info({ revision, heldRevision: held.revision, count: routes.size }, "the edge was given its routes again");
	}

	async function watch(signal: AbortSignal): Promise<void> {
		while (!signal.aborted) {
			try {
				await inTurn(() => deliver(mend));
			} catch (error) {
				log.error({ err: error }, "the edge's tables could not be restored");
			}
			// Rejects when the signal aborts, which the loop's condition then sees.
			await wait(pollIntervalMs, undefined, { signal }).catch(() => undefined);
		}
	}

	return {
		report,
		replaceRoutes,
		changeRoutes,
		activity,
		replaceCertificates: (list) => inTurn(() => deliver(() => certificates.replace(list))),
		replaceChallenges: (list) => inTurn(() => challenges.replace(list)),
		watch,

		async counters(projectId) {
			return EdgeCounters.parse(await readJson(socketPath, `/counters${projectId ? `?project=${projectId}` : ""}`));
		},

		async nextVisits(signal) {
			return VisitBatch.parse(await readJson(socketPath, "/visits", { signal, timeoutMs: visitsTimeoutMs }));
		},
	};
}
