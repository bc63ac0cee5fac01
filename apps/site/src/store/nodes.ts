import { sql } from "kysely";
import { type NodeLoad, nodeLostAfterMs } from "../domain/placement.ts";
import type { Database } from "./database.ts";

/** True for rows of `nodes` that were heard of lately; by the database's clock, which all instances share. */
export const isLive = sql<boolean>`nodes.last_seen_at > now() - ${sql.lit(nodeLostAfterMs)} * interval '1 millisecond'`;

/** A node stops containers that nobody uses by itself: those are still wanted running, and take no slot. */
const usesSlot = sql<boolean>`placements.want = 'running' AND NOT (
	placements.observed_want_version = placements.want_version AND placements.observed_state = 'stopped')`;

/**
 * Writes down that a node has dialled in. Its name is its identity: the same name gets the same id for ever.
 * @param sessionId names the control socket; any earlier one of this node no longer speaks for it.
 */
export async function registerNode(
	database: Database,
	node: {
		name: string;
		gatewayUrl: string;
		edgeAddress: string;
		edgeTlsPort: number | null;
		slots: number;
		sessionId: string;
	},
): Promise<string> {
	const row = await database
		.insertInto("nodes")
		.values({ ...node, lastSeenAt: sql<Date>`now()` })
		.onConflict((conflict) =>
			conflict.column("name").doUpdateSet((build) => ({
				gatewayUrl: build.ref("excluded.gatewayUrl"),
				edgeAddress: build.ref("excluded.edgeAddress"),
				edgeTlsPort: build.ref("excluded.edgeTlsPort"),
				slots: build.ref("excluded.slots"),
				sessionId: build.ref("excluded.sessionId"),
				lastSeenAt: build.ref("excluded.lastSeenAt"),
			})),
		)
		.returning("id")
		.executeTakeFirstOrThrow();
	return row.id;
}

/** @returns false when another control socket has taken the node over. */
export async function touchNode(database: Database, nodeId: string, sessionId: string): Promise<boolean> {
	const result = await database
		.updateTable("nodes")
		.set({ lastSeenAt: sql<Date>`now()` })
		.where("id", "=", nodeId)
		.where("sessionId", "=", sessionId)
		.executeTakeFirst();
	return result.numUpdatedRows > 0n;
}

export interface NodeStatus extends NodeLoad {
	readonly name: string;
	readonly gatewayUrl: string;
	readonly live: boolean;
	readonly lastSeenAt: Date;
	readonly createdAt: Date;
}

/** All nodes with what they carry, by name. */
export async function listNodes(database: Database): Promise<NodeStatus[]> {
	const rows = await database
		.selectFrom("nodes")
		.leftJoin("placements", "placements.nodeId", "nodes.id")
		.select((build) => [
			"nodes.id",
			"nodes.name",
			"nodes.gatewayUrl",
			"nodes.slots",
			"nodes.lastSeenAt",
			"nodes.createdAt",
			isLive.as("live"),
			build.fn.count<number>("placements.projectId").as("placed"),
			build.fn.count<number>("placements.projectId").filterWhere(usesSlot).as("running"),
		])
		.groupBy("nodes.id")
		.orderBy("nodes.name")
		.execute();
	return rows;
}

export async function listGatewayUrls(database: Database): Promise<string[]> {
	return (await database.selectFrom("nodes").select("gatewayUrl").execute()).map((row) => row.gatewayUrl);
}
