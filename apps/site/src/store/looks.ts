import { sql } from "kysely";
import type { Database } from "./database.ts";

/** A longer time between two looks is one that nobody saw: the instance was off, or the clock was set. */
const longestStep = sql.lit("1 day");
/** For how long is to be looked without a gap before anything is removed for good by its age. */
const toBeSeen = sql.lit("1 day");

/**
 * Writes down that somebody looks at the database's clock now; one at a time.
 * @returns whether the clock can be trusted to tell what is old: looks have gone on for a day without a gap.
 */
export async function lookAtClock(database: Database): Promise<boolean> {
	// A step back within a day is what clocks do that are corrected: it counts for nothing, and nothing begins anew.
	const { rows } = await sql<{ trusted: boolean }>`
		UPDATE janitor_looks SET looked_at = now(), seen = CASE
			WHEN now() - looked_at BETWEEN -interval ${longestStep} AND interval ${longestStep}
			THEN least(seen + greatest(now() - looked_at, interval '0'), interval ${toBeSeen})
			ELSE interval '0' END
		RETURNING seen >= interval ${toBeSeen} AS trusted`.execute(database);
	const [row] = rows;
	if (!row) throw new Error("The table janitor_looks has lost its row.");
	return row.trusted;
}

/** Nothing is removed by its age before it has been looked for a day from now on. */
export async function beginToLookAnew(database: Database): Promise<void> {
	await sql`UPDATE janitor_looks SET seen = interval '0'`.execute(database);
}
