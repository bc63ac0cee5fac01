import { sql } from "kysely";
import { type NodeLoad, nodeLostAfterMs } from "../domain/placement.ts";
import type { Database } from "./database.ts";

/** True for rows of `nodes` that were heard of lately; by the database's clock, which all instances share. */
export const isLive = sql<boolean>`nodes.last_seen_at > now() - ${sql.lit(nodeLostAfterMs)} * interval '1 millisecond'`;

/** True for rows of `nodes` that were not heard of for this long, in milliseconds. */
export const isGone = (goneAfterMs: number) =>
	sql<boolean>`nodes.last_seen_at < now() - ${goneAfterMs} * interval '1 millisecond'`;

/** What is known of a placement that a node has not reported on yet. */
export const nothingObserved = {
	observedState: null,
	observedWantVersion: null,
	observedProblem: null,
	observedAt: null,
} as const;

/** A node stops containers that nobody uses by itself: those are still wanted running, and take no slot. */
const usesSlot = sql<boolean>`placements.want = 'running' AND NOT (
	placements.observed_want_version = placements.want_version AND placements.observed_state = 'stopped')`;

/**
 * Writes down that a node has dialled in. Its name is its identity: the same name gets the same id for ever. Another
 * machine may take the name over once the first one is silent; what that one still writes is out of date from then on.
 * @param node.sessionId names the control socket; any earlier one of this node no longer speaks for it.
 * @returns null when another machine is connected under this name.
 */
export async function registerNode(database: Database, node: RegisteredNode): Promise<string | null> {
	return database.transaction().execute(async (transaction) => {
		const before = await transaction
			.selectFrom("nodes")
			.select(["machineId", isLive.as("live")])
			.where("name", "=", node.name)
			.forUpdate()
			.executeTakeFirst();
		// An agent that does not tell is taken for the one before.
		const machineId = node.machineId ?? before?.machineId ?? null;
		const isAnother = before?.machineId != null && before.machineId !== machineId;
		if (isAnother && before.live) return null;
		const id = await writeNode(transaction, { ...node, machineId });
		if (isAnother) await raiseGenerations(transaction, id);
		return id;
	});
}

/** What the machine before may still write comes under older generations. */
async function raiseGenerations(database: Database, nodeId: string): Promise<void> {
	await database
		.updateTable("placements")
		.set({ generation: sql<number>`generation + 1`, ...nothingObserved })
		.where("nodeId", "=", nodeId)
		.execute();
}

export interface RegisteredNode {
	readonly name: string;
	readonly gatewayUrl: string;
	readonly edgeAddress: string;
	readonly edgeTlsPort: number | null;
	readonly slots: number;
	readonly machineId: string | null;
	readonly storeId: string | null;
	readonly sessionId: string;
}

async function writeNode(database: Database, node: RegisteredNode): Promise<string> {
	const row = await database
		.insertInto("nodes")
		.values({ ...node, lastSeenAt: sql<Date>`now()` })
		.onConflict((conflict) =>
			conflict.column("name").doUpdateSet((build) => ({
				gatewayUrl: build.ref("excluded.gatewayUrl"),
				edgeAddress: build.ref("excluded.edgeAddress"),
				edgeTlsPort: build.ref("excluded.edgeTlsPort"),
				slots: build.ref("excluded.slots"),
				machineId: build.ref("excluded.machineId"),
				storeId: build.ref("excluded.storeId"),
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
	/** The object store that it reads; null when it has not told. */
	readonly storeId: string | null;
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
			"nodes.storeId",
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
