import { sql } from "kysely";
import type { Database } from "./database.ts";
import { tidyAlerts } from "./network-alerts.ts";
import { purgeTrash } from "./projects.ts";
import { thinCheckpoints, type VersionTimes } from "./thinning.ts";
import { tidyTraffic } from "./traffic.ts";
import { whileNobodyNames } from "./versions.ts";

/** Any fixed number other than the migrations' one. */
const janitorLock = 7_210_002;

/**
 * Removes what is past its time: the trash, ended sessions, spent links, old versions, old lines of the ledger. Of several
 * instances that come at once one does it.
 * @returns null when another one is at it.
 */
export async function tidy(
	database: Database,
	keep: {
		trashTimeMs: number;
		trafficHoursForMs: number;
		trafficDaysForMs: number;
		alertsForMs: number;
		versions: Omit<VersionTimes, "undoMs">;
	},
): Promise<{ begun: number; removed: number } | null> {
	return database.connection().execute(async (connection) => {
		const { rows } = await sql<{ locked: boolean }>`
			SELECT pg_try_advisory_lock(${sql.lit(janitorLock)}) AS locked`.execute(connection);
		if (!rows[0]?.locked) return null;
		try {
			await sql`DELETE FROM sessions WHERE expires_at < now()`.execute(connection);
			await sql`DELETE FROM operator_links WHERE expires_at < now()`.execute(connection);
			const times = { ...keep.versions, undoMs: keep.trashTimeMs };
			await whileNobodyNames(connection, (transaction) => thinCheckpoints(transaction, times));
			await tidyTraffic(connection, { hoursForMs: keep.trafficHoursForMs, daysForMs: keep.trafficDaysForMs });
			await tidyAlerts(connection, keep.alertsForMs);
			return await purgeTrash(connection, keep.trashTimeMs);
		} finally {
			await sql`SELECT pg_advisory_unlock(${sql.lit(janitorLock)})`.execute(connection);
		}
	});
}
