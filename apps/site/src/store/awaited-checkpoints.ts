import { setTimeout as wait } from "node:timers/promises";
import type { NodeToSite } from "@repldock/protocol";
import { sql } from "kysely";
import type { Database } from "./database.ts";

export type CheckpointAnswer = Extract<NodeToSite, { type: "checkpointAnswered" }>;

/** The node's answer may come to another instance: what it was is looked up in the database. */
const lookEveryMs = 50;

/**
 * Has a project's node store what the project is now, and waits for it.
 * @param patienceMs how long at most.
 * @returns whether all of it is in the store and recorded; false when the project has no node, too.
 */
export async function awaitPresentState(database: Database, projectId: string, patienceMs: number): Promise<boolean> {
	const asked = await database
		.updateTable("placements")
		.set({ checkpointWanted: sql<number>`checkpoint_wanted + 1` })
		.where("projectId", "=", projectId)
		.where("want", "!=", "purged")
		.returning(["checkpointWanted", "nodeId", "generation"])
		.executeTakeFirst();
	if (!asked) return false;
	const answered = await lookFor(patienceMs, async () => {
		const row = await database
			.selectFrom("placements")
			.select("checkpointUpToDate")
			.where("projectId", "=", projectId)
			.where("nodeId", "=", asked.nodeId)
			.where("generation", "=", asked.generation)
			.where("checkpointAnswered", ">=", asked.checkpointWanted)
			.executeTakeFirst();
		return row;
	});
	return answered?.checkpointUpToDate === true;
}

/** A node's answer; one about an older wish, or of a node that lost the project, changes nothing. */
export async function recordAnswer(database: Database, nodeId: string, answer: CheckpointAnswer): Promise<void> {
	await database
		.updateTable("placements")
		.set({ checkpointAnswered: answer.wanted, checkpointUpToDate: answer.upToDate })
		.where("projectId", "=", answer.projectId)
		.where("nodeId", "=", nodeId)
		.where("checkpointWanted", ">=", answer.wanted)
		.where("checkpointAnswered", "<", answer.wanted)
		.execute();
}

/** Waits until the store itself tells of a project, so that it outlives the database. @returns whether it does. */
export async function awaitOwnCheckpoint(database: Database, projectId: string, patienceMs: number): Promise<boolean> {
	const found = await lookFor(patienceMs, () =>
		database
			.selectFrom("durableCheckpoints")
			.select("projectId")
			.where("projectId", "=", projectId)
			.whereRef("checkpointProjectId", "=", "projectId")
			.executeTakeFirst(),
	);
	return found !== undefined;
}

async function lookFor<T>(patienceMs: number, look: () => Promise<T | undefined>): Promise<T | undefined> {
	const untilMs = performance.now() + patienceMs;
	for (;;) {
		const found = await look();
		if (found !== undefined || performance.now() >= untilMs) return found;
		await wait(lookEveryMs);
	}
}
