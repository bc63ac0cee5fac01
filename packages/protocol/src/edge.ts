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

/** A project of another node; the site says where that node's edge is. */
export const Elsewhere = z.object({
	slug: z.string(),
	projectId: z.string(),
	/** IPv4 address and port; null when other edges cannot reach it. */
	peer: z
		.string()
		.regex(/^\d{1,3}(?:\.\d{1,3}){3}:[1-9]\d{0,4}$/)
		.nullable(),
});
export type Elsewhere = z.infer<typeof Elsewhere>;

export type RouteEntry = Route | Elsewhere;

export interface RouteTable {
	revision: number;
	routes: RouteEntry[];
	/** What edges of one cluster prove themselves to each other with; absent before the site has named it. */
	hopSecret?: string;
}

export interface RouteChange {
	revision: number;
	set: RouteEntry[];
	removed: string[];
}
