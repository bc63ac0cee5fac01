import type { RefusalReason, TrafficCounters } from "../network/parts.ts";

/** Where the figures come from: the shaper, the filter and the resolver of the node's network. */
export interface TrafficSources {
	/** By project, of the containers that stand now. They rise while a container stands. */
	counters(): Promise<ReadonlyMap<string, TrafficCounters>>;
	/** Calls back with a container's last counters when its cable is taken away. */
	onDetached(listener: (projectId: string, counters: TrafficCounters) => void): void;
	/** Packets refused, by project and reason. They rise. */
	refusals(): Promise<ReadonlyMap<string, Partial<Record<RefusalReason, number>>>>;
	/** How the uplink is divided. `byOwner`: among owners first, then among the containers of each. */
	shares(): { uplinkBitsPerSecond: number; floorBitsPerSecond: number; byOwner: boolean };
	/** The name that a project looked up to get this address, while the resolver remembers. */
	nameOf(projectId: string, address: string): string | undefined;
	/** How a project asked for names within the last minute; undefined when it never did. */
	nameUse(projectId: string): { uniqueNames: number; longestName: number } | undefined;
}

/** Names one run of a project's container: counters begin at nothing with each. */
export interface Incarnation {
	projectId: string;
	generation: number;
	containerId: string;
	/** IPv4 address on the node's bridge. */
	address: string;
}

/** A node without these parts: nothing is counted, and nothing is claimed. */
export const noSources: TrafficSources = {
	counters: async () => new Map(),
	onDetached: () => undefined,
	refusals: async () => new Map(),
	shares: () => ({ uplinkBitsPerSecond: 0, floorBitsPerSecond: 0, byOwner: false }),
	nameOf: () => undefined,
	nameUse: () => undefined,
};
