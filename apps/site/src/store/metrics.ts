import { sql } from "kysely";
import type { Database } from "./database.ts";
import { isLive } from "./nodes.ts";

export interface ClusterCounts {
	readonly liveNodes: number;
	readonly lostNodes: number;
	readonly users: number;
	readonly projects: number;
	readonly restricted: number;
	readonly alertsWaiting: number;
	readonly checkpoints: number;
	readonly damagedCheckpoints: number;
	readonly placements: readonly { readonly state: string; readonly count: number }[];
}

/** What the whole cluster holds, for metrics. */
export async function countCluster(database: Database): Promise<ClusterCounts> {
	const { rows } = await sql<Omit<ClusterCounts, "placements">>`SELECT
		(SELECT count(*) FROM nodes WHERE ${isLive}) AS live_nodes,
		(SELECT count(*) FROM nodes WHERE NOT ${isLive}) AS lost_nodes,
		(SELECT count(*) FROM users) AS users,
		(SELECT count(*) FROM projects WHERE deleted_at IS NULL) AS projects,
		(SELECT count(*) FROM projects WHERE network_restriction IS NOT NULL) AS restricted,
		(SELECT count(*) FROM network_alerts WHERE deliver_at IS NOT NULL) AS alerts_waiting,
		(SELECT count(*) FROM checkpoints) AS checkpoints,
		(SELECT count(*) FROM damaged_checkpoints) AS damaged_checkpoints`.execute(database);
	const [counts] = rows;
	if (!counts) throw new Error("Counts without a row.");
	const placements = await sql<{ state: string; count: number }>`
		SELECT coalesce(observed_state, 'unknown') AS state, count(*) AS count
		FROM placements GROUP BY 1 ORDER BY 1`.execute(database);
	return { ...counts, placements: placements.rows };
}
