import { sql } from "kysely";
import type { Database } from "./database.ts";

/** For how long, in milliseconds, all versions of a project are kept, then one for each hour, then one for each day. */
export interface VersionTimes {
	readonly allMs: number;
	readonly hourlyMs: number;
	readonly dailyMs: number;
	/** For how long what a restore replaced, and what a node had that lost the project, is kept whatever the others say. */
	readonly undoMs: number;
}

/** What a node reports one by one must not be thinned out before the next one, which builds on it. */
const settlesMs = 60 * 60 * 1000;

/**
 * Forgets versions by their age, and all of projects that are gone; those with a name stay, as does what a version that
 * stays builds on, be it another project's. Their objects are removed by the nodes later, once nothing names them.
 * @returns how many were forgotten.
 */
export async function thinCheckpoints(database: Database, times: VersionTimes): Promise<number> {
	const youngerThan = (ms: number) => sql`now() - ${ms}::bigint * interval '1 millisecond'`;
	const result = await sql`
		WITH RECURSIVE living AS (
			SELECT checkpoints.* FROM checkpoints JOIN projects ON projects.id = checkpoints.project_id
		), wanted AS (
			SELECT checkpoint_project_id AS project_id, generation, sequence FROM durable_checkpoints
			UNION SELECT project_id, generation, sequence FROM living
				WHERE name IS NOT NULL OR taken_at > ${youngerThan(times.allMs)} OR recorded_at > ${youngerThan(settlesMs)}
					OR ((kind = 'before-restore' OR recovered) AND recorded_at > ${youngerThan(times.undoMs)})
			UNION (SELECT DISTINCT ON (project_id, date_trunc('hour', taken_at)) project_id, generation, sequence
				FROM living WHERE taken_at > ${youngerThan(times.hourlyMs)}
				ORDER BY project_id, date_trunc('hour', taken_at), taken_at DESC)
			UNION (SELECT DISTINCT ON (project_id, date_trunc('day', taken_at)) project_id, generation, sequence
				FROM living WHERE taken_at > ${youngerThan(times.dailyMs)}
				ORDER BY project_id, date_trunc('day', taken_at), taken_at DESC)
		), needed AS (
			SELECT checkpoints.project_id, checkpoints.generation, checkpoints.sequence,
				checkpoints.parent_project_id, checkpoints.parent_generation, checkpoints.parent_sequence
			FROM checkpoints JOIN wanted USING (project_id, generation, sequence)
			UNION SELECT parent.project_id, parent.generation, parent.sequence,
				parent.parent_project_id, parent.parent_generation, parent.parent_sequence
			FROM needed JOIN checkpoints AS parent ON parent.project_id = needed.parent_project_id
				AND parent.generation = needed.parent_generation AND parent.sequence = needed.parent_sequence
		) DELETE FROM checkpoints WHERE NOT EXISTS (
			SELECT FROM needed WHERE needed.project_id = checkpoints.project_id
				AND needed.generation = checkpoints.generation AND needed.sequence = checkpoints.sequence)`.execute(database);
	return Number(result.numAffectedRows ?? 0n);
}
