import type { NetworkSettings, UpdateNetwork } from "@repldock/protocol";
import { sql } from "kysely";
import type { Database } from "./database.ts";

export async function findNetwork(database: Database, projectId: string): Promise<NetworkSettings | undefined> {
	return database
		.selectFrom("projects")
		.select(["networkMode as mode", "allowedDomains", "networkRestriction as restriction"])
		.where("id", "=", projectId)
		.executeTakeFirst();
}

/** The project's node hears of it by the table's trigger. @returns false when it is in the trash or gone. */
export async function updateNetwork(database: Database, projectId: string, change: UpdateNetwork): Promise<boolean> {
	const { mode, allowedDomains } = change;
	const result = await database
		.updateTable("projects")
		.set({
			...(mode === undefined ? {} : { networkMode: mode }),
			...(allowedDomains === undefined ? {} : { allowedDomains: [...new Set(allowedDomains)] }),
			updatedAt: sql<Date>`now()`,
		})
		.where("id", "=", projectId)
		.where("deletedAt", "is", null)
		.executeTakeFirst();
	return result.numUpdatedRows > 0n;
}
