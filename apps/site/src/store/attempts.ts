import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import type { Database } from "./database.ts";

/**
 * Counts an attempt under a key, over windows of the given length, in the table that better-auth counts in too.
 * @returns how many there were in the present window, this one included, and when the window ends.
 */
export async function countAttempt(
	database: Database,
	key: string,
	windowMs: number,
): Promise<{ count: number; endsAtMs: number }> {
	const now = Date.now();
	const windowIsOver = sql`rate_limits.last_request <= ${now - windowMs}`;
	const row = await database
		.insertInto("rateLimits")
		.values({ id: randomUUID(), key, count: 1, lastRequest: now })
		.onConflict((conflict) =>
			conflict.column("key").doUpdateSet({
				count: sql<number>`CASE WHEN ${windowIsOver} THEN 1 ELSE rate_limits.count + 1 END`,
				lastRequest: sql<number>`CASE WHEN ${windowIsOver} THEN ${now} ELSE rate_limits.last_request END`,
			}),
		)
		.returning(["count", "lastRequest"])
		.executeTakeFirstOrThrow();
	return { count: row.count, endsAtMs: row.lastRequest + windowMs };
}

/** Forgets the attempts under a key, for when one succeeded. */
export async function forgetAttempts(database: Database, key: string): Promise<void> {
	await database.deleteFrom("rateLimits").where("key", "=", key).execute();
}
