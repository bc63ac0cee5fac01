import type { Version } from "@repldock/protocol";
import { sql } from "kysely";
import type { Database } from "./database.ts";

/** Any fixed number other than the janitor's and the migrations'. */
const thinningLock = 7_210_003;

/** A version's place among those of its project. */
export interface VersionPlace {
	readonly generation: number;
	readonly sequence: number;
}

/** Versions of a project by the time when they were taken, the newest first. Each has all that it builds on (migration 0011). */
export function listVersions(
	database: Database,
	projectId: string,
	options: { before: VersionPlace | undefined; named: boolean; limit: number },
): Promise<Version[]> {
	const { before, named, limit } = options;
	const earlier = before
		? sql`AND (sequence, generation) < (${before.sequence}::bigint, ${before.generation}::integer)`
		: sql``;
	return selectVersions(database, projectId, sql`${earlier} ${named ? sql`AND name IS NOT NULL` : sql``}`, limit);
}

/**
 * Names a version, or takes its name away.
 * @returns the version as it is now; undefined when there is none that could be restored.
 */
export async function nameVersion(
	database: Database,
	projectId: string,
	{ generation, sequence }: VersionPlace,
	name: string | null,
): Promise<Version | undefined> {
	return database.transaction().execute(async (transaction) => {
		// What is being thinned out at this moment, with what it builds on, can be kept no more.
		await sql`SELECT pg_advisory_xact_lock_shared(${sql.lit(thinningLock)})`.execute(transaction);
		await transaction
			.updateTable("checkpoints")
			.set({ name })
			.where("projectId", "=", projectId)
			.where("generation", "=", generation)
			.where("sequence", "=", sequence)
			.execute();
		const itself = sql`AND (generation, sequence) = (${generation}::integer, ${sequence}::bigint)`;
		const [version] = await selectVersions(transaction, projectId, itself, 1);
		return version;
	});
}

/** Runs work that decides by names which versions go, while none is being named. */
export function whileNobodyNames<T>(database: Database, work: (database: Database) => Promise<T>): Promise<T> {
	return database.transaction().execute(async (transaction) => {
		await sql`SELECT pg_advisory_xact_lock(${sql.lit(thinningLock)})`.execute(transaction);
		return work(transaction);
	});
}

interface VersionRow {
	generation: number;
	sequence: number;
	kind: Version["kind"];
	name: string | null;
	takenAt: Date;
	recovered: boolean;
	current: boolean;
}

async function selectVersions(
	database: Database,
	projectId: string,
	condition: ReturnType<typeof sql>,
	limit: number,
): Promise<Version[]> {
	const { rows } = await sql<VersionRow>`
		SELECT generation, sequence, kind, name, taken_at, recovered, EXISTS (
			SELECT FROM durable_checkpoints AS present WHERE present.project_id = version.project_id
				AND (present.checkpoint_project_id, present.generation, present.sequence)
					= (version.project_id, version.generation, version.sequence)) AS current
		FROM checkpoints AS version WHERE project_id = ${projectId} ${condition}
		ORDER BY sequence DESC, generation DESC LIMIT ${limit}`.execute(database);
	return rows.map(({ generation, sequence, takenAt, ...rest }) => ({
		id: `${generation}.${sequence}`,
		...rest,
		takenAt: takenAt.toISOString(),
	}));
}
