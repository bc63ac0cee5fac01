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
 *   PUT   /certificates  { revision, certificates: EdgeCertificate[] }   replaces all; GET as above
 *   PUT   /challenges    { revision, challenges: EdgeChallenge[] }       replaces all; GET as above
 *   GET   /activity                   → Activity, of all projects that were visited
 *   GET   /activity?project=<id>      → Activity, of this one alone
 */
export const Route = z.object({
	slug: z.string(),
	/** Custom domains whose proof the site has seen; small letters, punycode. */
	domains: z.array(z.string()),
	projectId: z.string(),
	/** The container's IPv4 address; null when no container runs. */
	address: z.string().nullable(),
	/** Ports that visitors may name, each with one that listens in the container; no `external` twice. */
	ports: z.array(RoutePort),
	/** The container's port that `<slug>.<apps domain>` without a port means; null when nothing listens. */
	mainPort: PortNumber.nullable(),
	visibility: Visibility,
	state: ContainerState,
	/** Asleep, or just waking: a visit asks the agent to wake it (`GET /edge/wake`) and goes on when that says so. */
	wakes: z.boolean(),
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
	/** Port at which that edge speaks TLS, for what comes by HTTP/2 alone (gRPC); null when it does not. */
	peerTlsPort: PortNumber.nullable().default(null),
	/** Custom domains whose proof the site has seen; as in Route. */
	domains: z.array(z.string()).default([]),
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

/** A certificate for the edge to choose by the name that a visitor asks for. The edge never gives it back. */
export interface EdgeCertificate {
	/** Differs when the certificate does: its fingerprint. */
	id: string;
	/** Host names, `*.` wildcards of one label, or addresses. */
	names: readonly string[];
	/** The chain, leaf first, in PEM. */
	certificate: string;
	/** PEM. */
	key: string;
}

/** An answer to ACME's HTTP-01 challenge at `/.well-known/acme-challenge/<token>`, on every host of the edge. */
export interface EdgeChallenge {
	token: string;
	answer: string;
}
/** Visits by project id. What is not named was not visited since the edge started. */
export const Activity = z.object({
	projects: z.record(
		z.string(),
		z.object({
			/** Whether requests are being answered, or were a moment ago: open sockets, streams, downloads and held ones too. */
			active: z.boolean(),
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
