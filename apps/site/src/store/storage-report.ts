import { sql } from "kysely";
import { projectsInDamage } from "./damage.ts";
import type { Database } from "./database.ts";

/** What the database says of stored files, as `server.ts storage` prints it for `status` and `doctor`. */
export interface SiteStorageReport {
	projects: number;
	checkpoints: number;
	bytes: number;
	/** Objects from before that are not known to be of use. */
	knowsSince: Date;
	/** Projects whose present state cannot be restored from the store, and all damaged checkpoints. */
	damagedProjects: string[];
	damaged: number;
	/** When the slowest node's last round of reading all objects back ended; null when one has not ended any yet. */
	scrubbedAt: Date | null;
}

export async function reportStorage(database: Database): Promise<SiteStorageReport> {
	const { rows } = await sql<SiteStorageReport>`
		SELECT
			(SELECT count(*) FROM projects)::integer AS projects,
			(SELECT count(*) FROM checkpoints)::integer AS checkpoints,
			(SELECT coalesce(sum(bytes), 0) FROM checkpoints)::bigint AS bytes,
			(SELECT knows_since FROM object_index) AS knows_since,
			ARRAY(SELECT project_id::text FROM ${projectsInDamage} AS projects_in_damage) AS damaged_projects,
			(SELECT count(*) FROM damaged_checkpoints)::integer AS damaged,
			(SELECT CASE WHEN bool_and(round_ended_at IS NOT NULL) THEN min(round_ended_at) END FROM scrubs)
				AS scrubbed_at`.execute(database);
	const [report] = rows;
	if (!report) throw new Error("A report without a row.");
	return report;
}
