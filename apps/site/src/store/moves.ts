import { chooseNode } from "../domain/placement.ts";
import type { Database } from "./database.ts";
import { isGone, listNodes, nothingObserved } from "./nodes.ts";

/**
 * Takes a project from a node that has been silent for too long to a live one that reads the same object store, where it
 * goes on from what is durable of it. When the first node comes back, it is told to store what more it has, and to let go.
 * Harmless while the node is there, while nothing of the project is stored, and while there is no other node.
 * @returns whether it was moved.
 */
export async function moveFromGone(database: Database, projectId: string, goneAfterMs: number): Promise<boolean> {
	return database.transaction().execute(async (transaction) => {
		const placement = await transaction
			.selectFrom("placements")
			.innerJoin("nodes", "nodes.id", "placements.nodeId")
			.select(["placements.nodeId", "placements.generation", "nodes.storeId"])
			.where("placements.projectId", "=", projectId)
			.where("placements.want", "!=", "purged")
			.where(isGone(goneAfterMs))
			.where("nodes.storeId", "is not", null)
			.where(({ exists, selectFrom }) =>
				exists(
					selectFrom("durableCheckpoints")
						.select("durableCheckpoints.projectId")
						.whereRef("durableCheckpoints.projectId", "=", "placements.projectId"),
				),
			)
			.forUpdate("placements")
			.executeTakeFirst();
		if (!placement) return false;
		const nodes = await listNodes(transaction);
		const to = chooseNode(nodes.filter(({ live, storeId }) => live && storeId === placement.storeId));
		if (!to) return false;
		await transaction
			.insertInto("departures")
			.values({ projectId, nodeId: placement.nodeId, generation: placement.generation })
			.onConflict((conflict) =>
				conflict.columns(["projectId", "nodeId"]).doUpdateSet({ generation: placement.generation }),
			)
			.execute();
		// It is to have the project again: what it has of it is looked at when it makes its volume.
		await transaction.deleteFrom("departures").where("projectId", "=", projectId).where("nodeId", "=", to.id).execute();
		await transaction
			.updateTable("placements")
			.set({ nodeId: to.id, generation: placement.generation + 1, ...nothingObserved })
			.where("projectId", "=", projectId)
			.execute();
		return true;
	});
}

/** Projects that are to run whether anybody opens them or not, on nodes that have been silent for too long. */
export async function moveAlwaysOnFromGone(database: Database, goneAfterMs: number): Promise<number> {
	const rows = await database
		.selectFrom("placements")
		.innerJoin("projects", "projects.id", "placements.projectId")
		.innerJoin("nodes", "nodes.id", "placements.nodeId")
		.select("placements.projectId")
		.where("projects.alwaysOn", "=", true)
		.where("projects.deletedAt", "is", null)
		.where("placements.want", "=", "running")
		.where("nodes.storeId", "is not", null)
		.where(isGone(goneAfterMs))
		.execute();
	let moved = 0;
	for (const { projectId } of rows) if (await moveFromGone(database, projectId, goneAfterMs)) moved += 1;
	return moved;
}

/** The node has nothing of a project any more that was taken from it. @returns whether that was news. */
export async function recordLeft(
	database: Database,
	nodeId: string,
	{ projectId, generation }: { projectId: string; generation: number },
): Promise<boolean> {
	const result = await database
		.deleteFrom("departures")
		.where("projectId", "=", projectId)
		.where("nodeId", "=", nodeId)
		.where("generation", "=", generation)
		.executeTakeFirst();
	return result.numDeletedRows > 0n;
}
