import { z } from "zod";
import { ContainerState, Visibility } from "./project.ts";

const PortNumber = z.int().min(1).max(65_535);

/** A visitor's port and the port in the container that it means. */
export const RoutePort = z.object({ external: PortNumber, local: PortNumber });
export type RoutePort = z.infer<typeof RoutePort>;

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
	/** Ports that visitors may name, each with one that listens in the container; no `external` twice. */
	ports: z.array(RoutePort),
	/** The container's port that `<slug>.<apps domain>` without a port means; null when nothing listens. */
	mainPort: PortNumber.nullable(),
	visibility: Visibility,
	state: ContainerState,
});
export type Route = z.infer<typeof Route>;

export const RouteTable = z.object({ revision: z.int(), routes: z.array(Route) });
export type RouteTable = z.infer<typeof RouteTable>;

export const RouteChange = z.object({ revision: z.int(), set: z.array(Route), removed: z.array(z.string()) });
export type RouteChange = z.infer<typeof RouteChange>;
