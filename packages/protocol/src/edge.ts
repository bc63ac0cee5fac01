import { z } from "zod";
import { ContainerState, Visibility } from "./project.ts";

/**
 * Agent → edge, HTTP over a unix socket:
 *   PUT   /routes  RouteTable   replaces all routes
 *   PATCH /routes  RouteChange  changes some; refused with 409 when `revision` is not above the stored one
 *   GET   /routes  → { revision, count }
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
});
export type Route = z.infer<typeof Route>;

export const RouteTable = z.object({ revision: z.int(), routes: z.array(Route) });
export type RouteTable = z.infer<typeof RouteTable>;

export const RouteChange = z.object({ revision: z.int(), set: z.array(Route), removed: z.array(z.string()) });
export type RouteChange = z.infer<typeof RouteChange>;
