import { z } from "zod";
import { ContainerState, Visibility } from "./project.ts";

/**
 * Agent → edge, HTTP over a unix socket:
 *   PUT   /routes  RouteTable   replaces all routes
 *   PATCH /routes  RouteChange  changes some; refused with 409 when `revision` is not above the stored one
 *   GET   /routes  → { revision, count }
 *   GET   /activity                   → Activity, of all projects that were visited
 *   GET   /activity?project=<id>      → Activity, of this one alone
 */
export const Route = z.object({
	slug: z.string(),
	projectId: z.string(),
	/** The container's IPv4 address; null when no container runs. */
	address: z.string().nullable(),
	/** Ports that listen in the container and may be visited. */
	ports: z.array(z.int()),
	/** The port that `<slug>.<apps domain>` without a port means; null when nothing listens. */
	mainPort: z.int().nullable(),
	visibility: Visibility,
	state: ContainerState,
	/** Asleep, or just waking: a visit asks the agent to wake it (`GET /edge/wake`) and goes on when that says so. */
	wakes: z.boolean(),
});
export type Route = z.infer<typeof Route>;

export const RouteTable = z.object({ revision: z.int(), routes: z.array(Route) });
export type RouteTable = z.infer<typeof RouteTable>;

export const RouteChange = z.object({ revision: z.int(), set: z.array(Route), removed: z.array(z.string()) });
export type RouteChange = z.infer<typeof RouteChange>;

/** Visits by project id. What is not named was not visited since the edge started. */
export const Activity = z.object({
	projects: z.record(
		z.string(),
		z.object({
			/** Requests that are being answered: open sockets, streams, downloads and held requests too. */
			active: z.int(),
			/** Since a visit last ended; null when none has yet. Those of `REPLDOCK_NO_WAKE_AGENTS` do not count. */
			idleMs: z.number().nullable(),
		}),
	),
});
export type Activity = z.infer<typeof Activity>;

/** Why a wake failed, as the agent tells the edge; `exitCode` and `lines` when the run command ended. */
export const WakeFailure = z.object({
	code: z.string(),
	detail: z.string(),
	exitCode: z.int().nullable(),
	/** Last lines of its output, as plain text; empty unless the visitor is the owner. */
	lines: z.array(z.string()),
});
export type WakeFailure = z.infer<typeof WakeFailure>;
