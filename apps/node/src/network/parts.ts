import type { NetworkPolicy } from "@repldock/protocol";
import type { KernelNews } from "../host/kernel-news.ts";

/** A running container as the node's network sees it. */
export interface Member {
	projectId: string;
	/** Who shares the uplink as one. */
	ownerId: string;
	containerId: string;
	/** A small number that no other member of this node has, from 1 up; it stays the same while the container stands. */
	number: number;
	/** IPv4 address on the node's bridge. */
	address: string;
	/** MAC address of its end of the cable, as the engine gave it. */
	hardwareAddress: string;
	/** The node's end of the container's cable. */
	interfaceName: string;
	policy: NetworkPolicy;
}

/**
 * What the kernel holds for the members: `shaping` (tc) or `filter` (nft). Its state is a pure function of the members,
 * so every call may be repeated.
 */
export interface NetworkPart {
	name: "shaping" | "filter";
	/** Makes what the node needs without any member; called before the engine starts. */
	ensure(): Promise<void>;
	/** Makes a member's state, or changes it to a new policy; done when it returns. */
	attach(member: Member): Promise<void>;
	/** Takes a member's state away; harmless when there is none. */
	detach(member: Member): Promise<void>;
	/** Compares the kernel with what it should hold and mends the differences alone. @returns a sentence for each. */
	repair(members: readonly Member[]): Promise<string[]>;
	/** Whether somebody else has changed what is this part's, or may have. To be told all news, in their order. */
	concerns(news: KernelNews): boolean;
	/** Removes all that this part made. */
	release(): Promise<void>;
}

/** What a member's cable carried since it was attached, with Ethernet's headers. They only rise. */
export interface TrafficCounters {
	sentBytes: number;
	sentPackets: number;
	/** Packets that the shaper threw away because the member sent more than it got. */
	droppedPackets: number;
	receivedBytes: number;
	receivedPackets: number;
}

/** How the node's uplink is shared; 0 bits per second where shaping is off. */
export interface Shares {
	uplinkBitsPerSecond: number;
	/** What a share has at any moment, however busy the others are: the uplink divided by the node's slots. */
	floorBitsPerSecond: number;
	/** Whether all containers of one owner are one share. */
	byOwner: boolean;
}

/** What the ledger and the graph read of the network. */
export interface TrafficSource {
	/** Of every attached member, by its project. @throws CommandError when the kernel cannot be asked. */
	counters(): Promise<Map<string, TrafficCounters>>;
	shares(): Shares;
	/** Calls back with a member's last values when it is detached; the next incarnation begins at 0. */
	onDetached(listener: (projectId: string, counters: TrafficCounters) => void): void;
}

/** Why the filter refused packets of a member. */
export type RefusalReason =
	| "closed"
	| "not-allowed"
	| "udp"
	| "port"
	| "private-address"
	/** The site's own addresses and its database's. */
	| "site"
	| "node"
	| "neighbour"
	| "spoofed"
	| "connections"
	| "ipv6"
	/** More questions for names than a container may ask. */
	| "questions";
