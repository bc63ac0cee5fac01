import { sql } from "kysely";
import type { Database } from "./database.ts";
import { lookAtClock } from "./looks.ts";
import { tidyAlerts } from "./network-alerts.ts";
import { purgeTrash } from "./projects.ts";
import { thinCheckpoints, type VersionTimes } from "./thinning.ts";
import { tidyTraffic } from "./traffic.ts";
import { whileNobodyNames } from "./versions.ts";

/** Any fixed number other than the migrations' one. */
const janitorLock = 7_210_002;

/**
 * Removes what is past its time: the trash, ended sessions, spent links, old versions, old lines of the ledger. Of several
 * instances that come at once one does it. While the clock may be wrong nothing is removed (`held`): lookAtClock.
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
): Promise<{ begun: number; removed: number; held: boolean } | null> {
	return database.connection().execute(async (connection) => {
		const { rows } = await sql<{ locked: boolean }>`
			SELECT pg_try_advisory_lock(${sql.lit(janitorLock)}) AS locked`.execute(connection);
		if (!rows[0]?.locked) return null;
		try {
			const times = { ...keep.versions, undoMs: keep.trashTimeMs };
			const steps: (() => Promise<unknown>)[] = [
				() => sql`DELETE FROM sessions WHERE expires_at < now()`.execute(connection),
				() => sql`DELETE FROM operator_links WHERE expires_at < now()`.execute(connection),
				() => whileNobodyNames(connection, (transaction) => thinCheckpoints(transaction, times)),
				() => tidyTraffic(connection, { hoursForMs: keep.trafficHoursForMs, daysForMs: keep.trafficDaysForMs }),
				() => tidyAlerts(connection, keep.alertsForMs),
			];
			const held = { begun: 0, removed: 0, held: true };
			// Some take seconds, in which the clock may be set: so it is looked at before each.
			for (const step of steps) {
				if (!(await lookAtClock(connection))) return held;
				await step();
			}
			if (!(await lookAtClock(connection))) return held;
			return { ...(await purgeTrash(connection, keep.trashTimeMs)), held: false };
		} finally {
			await sql`SELECT pg_advisory_unlock(${sql.lit(janitorLock)})`.execute(connection);
		}
	});
}
