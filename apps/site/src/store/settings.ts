import type { Database } from "./database.ts";

export interface Settings {
	readonly registration: "open" | "closed";
}

/** Writes the settings of a new installation; leaves existing ones as they are. */
export async function initialiseSettings(database: Database, initial: Settings): Promise<void> {
	await database
		.insertInto("settings")
		.values(initial)
		.onConflict((conflict) => conflict.column("single").doNothing())
		.execute();
}

export async function readSettings(database: Database): Promise<Settings> {
	return database.selectFrom("settings").select("registration").executeTakeFirstOrThrow();
}

export async function changeSettings(database: Database, change: Partial<Settings>): Promise<Settings> {
	if (change.registration === undefined) return readSettings(database);
	return database
		.updateTable("settings")
		.set({ registration: change.registration })
		.returning("registration")
		.executeTakeFirstOrThrow();
}
