import { z } from "zod";
import { ProjectId } from "./project.ts";

/** Never below nothing; what a sum of doubles can still hold exactly. */
const Count = z.int().nonnegative();

/** What a project's cable carried, with Ethernet's headers, and what its node refused it. */
export const TrafficTotals = z.object({
	/** With what its terminals and console showed, which has no packets and no headers. */
	sentBytes: Count,
	sentPackets: Count,
	/** Packets that the shaper threw away because more was sent than the project got. */
	droppedPackets: Count,
	receivedBytes: Count,
	receivedPackets: Count,
	/** Packets that the node's policy refused, whatever the reason. */
	refusedPackets: Count,
});
export type TrafficTotals = z.infer<typeof TrafficTotals>;

/**
 * A line of a node's ledger. It only rises, and of several reports the greatest is the right one, so that repeating one
 * is harmless.
 */
export const TrafficHour = TrafficTotals.extend({
	projectId: ProjectId,
	generation: z.int().positive(),
	/** Hours since 1970. */
	hour: z.int().nonnegative(),
});
export type TrafficHour = z.infer<typeof TrafficHour>;

/** What one project sends and receives now. */
export const TrafficRate = z.object({
	projectId: ProjectId,
	sentBitsPerSecond: z.number().nonnegative(),
	receivedBitsPerSecond: z.number().nonnegative(),
	/** Refused since the node's last report. */
	refusedPackets: Count,
	/** In the kernel's table of connections. */
	connections: Count,
});
export type TrafficRate = z.infer<typeof TrafficRate>;

/** How a node's network stands, as it was at `atMs`. */
export const NodeTraffic = z.object({
	atMs: z.number(),
	/** 0: not known. */
	uplinkBitsPerSecond: z.number().nonnegative(),
	/** What each container is sure of: uplink ÷ slots. */
	floorBitsPerSecond: z.number().nonnegative(),
	sentBitsPerSecond: z.number().nonnegative(),
	receivedBitsPerSecond: z.number().nonnegative(),
	refusedPackets: Count,
	/** The projects that send and receive the most, those first. */
	top: z.array(TrafficRate).max(50),
});
export type NodeTraffic = z.infer<typeof NodeTraffic>;

export const NetworkAlertKind = z.enum(["port-scan", "connection-storm", "mining", "dns-tunnel"]);
export type NetworkAlertKind = z.infer<typeof NetworkAlertKind>;

/** Something that an operator should look at. */
export const NetworkAlert = z.object({
	/** The node's own; the site keeps one of each. */
	id: z.uuid(),
	projectId: ProjectId,
	kind: NetworkAlertKind,
	/** A sentence with the figures. */
	detail: z.string().max(500),
	atMs: z.number(),
});
export type NetworkAlert = z.infer<typeof NetworkAlert>;

/** One moment of a project's graph. */
export const TrafficSample = z.object({
	atMs: z.number(),
	sentBitsPerSecond: z.number(),
	receivedBitsPerSecond: z.number(),
});
export type TrafficSample = z.infer<typeof TrafficSample>;

/** Where a project's connections go. */
export const Destination = z.object({
	address: z.string(),
	/** The name that the project looked up to get the address; null when it did not, or the resolver has forgotten. */
	name: z.string().nullable(),
	port: z.int(),
	protocol: z.string(),
	/** Connections that are in the kernel's table now. */
	open: z.int(),
	/** At least so much, with IP's headers: what ran between two looks at a connection that then ended is not seen. */
	sentBytes: z.int(),
	receivedBytes: z.int(),
	lastSeenAtMs: z.number(),
});
export type Destination = z.infer<typeof Destination>;

/** What changes slower than the graph. Reasons are those of the node's filter; a page knows words for most. */
export const TrafficDetails = z.object({
	/** The latest first. */
	destinations: z.array(Destination),
	/** Since the container was started. */
	refused: z.array(z.object({ reason: z.string(), packets: z.int() })),
});
export type TrafficDetails = z.infer<typeof TrafficDetails>;

/** Sums of the ledger, as the API shows them. */
export const TrafficSummary = z.object({
	/** Since midnight and since the first of the month, in UTC. */
	today: TrafficTotals,
	month: TrafficTotals,
});
export type TrafficSummary = z.infer<typeof TrafficSummary>;
