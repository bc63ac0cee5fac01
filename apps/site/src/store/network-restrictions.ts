import { NetworkRestriction } from "@repldock/protocol";
import { sql } from "kysely";
import type { Database } from "./database.ts";

/** A project of a node as the operator sees it. */
export interface NetworkedProject {
	readonly id: string;
	readonly name: string;
	readonly slug: string;
	readonly ownerId: string;
	readonly ownerName: string;
	readonly restriction: NetworkRestriction | null;
	readonly restrictedAt: Date | null;
	/** What its owner says to that. */
	readonly answer: string | null;
}

/** Those with these ids, and all restricted ones of a node. */
export async function listNetworked(
	database: Database,
	nodeId: string,
	ids: readonly string[],
): Promise<NetworkedProject[]> {
	const rows = await database
		.selectFrom("projects")
		.innerJoin("users", "users.id", "projects.ownerId")
		.leftJoin("placements", "placements.projectId", "projects.id")
		.select([
			"projects.id",
			"projects.name",
			"projects.slug",
			"projects.ownerId",
			"users.name as ownerName",
			"projects.networkRestriction",
			"projects.networkRestrictedAt as restrictedAt",
			"projects.networkAnswer as answer",
		])
		.where((build) =>
			build.or([
				build("projects.id", "in", ids.length > 0 ? ids : [sql<string>`NULL`]),
				build.and([build("placements.nodeId", "=", nodeId), build("projects.networkRestriction", "is not", null)]),
			]),
		)
		.orderBy("projects.name")
		.execute();
	return rows.map(({ networkRestriction, ...project }) => ({
		...project,
		restriction: readRestriction(networkRestriction),
	}));
}

/**
 * Throttles or closes a project's network; its node hears of it at once. A new one takes the place of an older one, and
 * the owner's answer to that goes with it.
 * @param restriction null lifts it.
 * @returns false when there is no such project.
 */
export async function restrictNetwork(
	database: Database,
	id: string,
	restriction: NetworkRestriction | null,
): Promise<boolean> {
	const result = await database
		.updateTable("projects")
		.set({
			networkRestriction: restriction && JSON.stringify(restriction),
			networkRestrictedAt: restriction ? sql<Date>`now()` : null,
			networkAnswer: null,
		})
		.where("id", "=", id)
		.executeTakeFirst();
	return result.numUpdatedRows > 0n;
}

/** @returns false when nothing is restricted that could be answered to. */
export async function answerRestriction(database: Database, id: string, answer: string): Promise<boolean> {
	const result = await database
		.updateTable("projects")
		.set({ networkAnswer: answer })
		.where("id", "=", id)
		.where("networkRestriction", "is not", null)
		.executeTakeFirst();
	return result.numUpdatedRows > 0n;
}

/** Null when the database holds something that is none, which only a newer version can have written. */
export function readRestriction(stored: unknown): NetworkRestriction | null {
	return NetworkRestriction.safeParse(stored).data ?? null;
}
