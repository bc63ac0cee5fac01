import type { NetworkAlertKind, NetworkRestriction } from "@repldock/protocol";

/** What `GET /api/v1/nodes/{id}/traffic` answers. Times are ISO 8601. */
export interface NodeTrafficAnswer {
	node: { id: string; name: string; live: boolean; slots: number; running: number };
	/** Null when the node never told. */
	now: {
		at: string;
		uplinkBitsPerSecond: number;
		floorBitsPerSecond: number;
		sentBitsPerSecond: number;
		receivedBitsPerSecond: number;
		refusedPackets: number;
	} | null;
	talkers: Talker[];
	owners: { id: string; name: string; projects: number; sentBitsPerSecond: number; receivedBitsPerSecond: number }[];
	restricted: NetworkedProject[];
	alerts: NodeAlert[];
}

export interface NetworkedProject {
	id: string;
	name: string;
	slug: string;
	ownerName: string;
	restriction: NetworkRestriction | null;
	restrictedAt: string | null;
	answer: string | null;
}

export interface Talker {
	project: NetworkedProject;
	sentBitsPerSecond: number;
	receivedBitsPerSecond: number;
	refusedPackets: number;
	connections: number;
}

export interface NodeAlert {
	id: string;
	kind: NetworkAlertKind;
	detail: string;
	noticedAt: string;
	deliveredAt: string | null;
	project: { id: string; name: string; slug: string; ownerName: string };
}
