import type { Checkpoint, CheckpointId } from "@repldock/protocol";
import { sql } from "kysely";
import type { Database } from "./database.ts";

/** More than a chain ever has; what loops is cut off. */
const chainMostLength = 1_000;

/**
 * Takes in what a node reports to be in the object store. The present state of a project moves forward only, and only
 * by the node that holds its present generation; what another one reports is kept as recovered. What builds on a
 * checkpoint that is not there any more restores nothing and is not taken in. Repeating a report changes nothing.
 * @returns those that need not be reported again; `orphaned` are not in the database.
 */
export async function recordCheckpoints(
	database: Database,
	nodeId: string,
	checkpoints: readonly Checkpoint[],
): Promise<{ recorded: CheckpointId[]; orphaned: CheckpointId[] }> {
	const recorded: CheckpointId[] = [];
	const orphaned: CheckpointId[] = [];
	for (const checkpoint of checkpoints) {
		const taken = await database.transaction().execute((transaction) => record(transaction, nodeId, checkpoint));
		const { projectId, generation, sequence } = checkpoint;
		(taken ? recorded : orphaned).push({ projectId, generation, sequence });
	}
	return { recorded, orphaned };
}

/** @returns false when what it builds on is not there. */
async function record(database: Database, nodeId: string, checkpoint: Checkpoint): Promise<boolean> {
	const { projectId, generation, sequence, parent } = checkpoint;
	// The placement cannot move while its checkpoint is written down.
	const placement = await database
		.selectFrom("projects")
		.leftJoin("placements", "placements.projectId", "projects.id")
		.select(["placements.nodeId", "placements.generation"])
		.where("projects.id", "=", projectId)
		.forShare("projects")
		.executeTakeFirst();
	// Gone for good: nobody will want its files.
	if (!placement) return true;
	if (parent && !(await isRecorded(database, parent))) return false;
	const isOwner = await holdsGeneration(database, nodeId, projectId, generation);
	await database
		.insertInto("checkpoints")
		.values({
			projectId,
			generation,
			sequence,
			parentProjectId: parent?.projectId ?? null,
			parentGeneration: parent?.generation ?? null,
			parentSequence: parent?.sequence ?? null,
			kind: checkpoint.kind,
			name: checkpoint.name,
			takenAt: new Date(checkpoint.takenAt),
			objectKey: checkpoint.key,
			start: checkpoint.start,
			bytes: checkpoint.bytes,
			sha256: Buffer.from(checkpoint.sha256, "hex"),
			recovered: !isOwner,
		})
		.onConflict((conflict) => conflict.columns(["projectId", "generation", "sequence"]).doNothing())
		.execute();
	if (!isOwner) return true;
	// A fork's own take the place of its origin's, whatever their numbers.
	await sql`
		INSERT INTO durable_checkpoints AS present (project_id, checkpoint_project_id, generation, sequence)
		VALUES (${projectId}, ${projectId}, ${generation}, ${sequence})
		ON CONFLICT (project_id) DO UPDATE SET checkpoint_project_id = excluded.checkpoint_project_id,
			generation = excluded.generation, sequence = excluded.sequence
		WHERE present.checkpoint_project_id <> excluded.checkpoint_project_id
			OR (present.generation, present.sequence) < (excluded.generation, excluded.sequence)`.execute(database);
	return true;
}

/** It stays until this transaction ends. */
async function isRecorded(database: Database, { projectId, generation, sequence }: CheckpointId): Promise<boolean> {
	const { rows } = await sql`
		SELECT FROM checkpoints WHERE (project_id, generation, sequence) = (${projectId}, ${generation}, ${sequence})
		FOR KEY SHARE`.execute(database);
	return rows.length > 0;
}

async function holdsGeneration(database: Database, nodeId: string, projectId: string, generation: number) {
	const placement = await database
		.selectFrom("placements")
		.select("projectId")
		.where("projectId", "=", projectId)
		.where("nodeId", "=", nodeId)
		.where("generation", "=", generation)
		.forShare()
		.executeTakeFirst();
	return placement !== undefined;
}

/**
 * What restores a project, the full checkpoint first: its present state, or one version of it. The first ones of a fork's
 * chain are its origin's; those are found though the origin is gone.
 * @returns nothing when there is no such checkpoint.
 * @throws Error when a part of the chain is missing.
 */
export async function findChain(
	database: Database,
	projectId: string,
	version?: { generation: number; sequence: number },
): Promise<Checkpoint[]> {
	const { rows } = await sql<ChainRow>`
		WITH RECURSIVE chain AS (
			SELECT checkpoints.*, 0 AS depth FROM checkpoints
			WHERE (project_id, generation, sequence) = (${
				version
					? sql`${projectId}::uuid, ${version.generation}::integer, ${version.sequence}::bigint`
					: sql`SELECT checkpoint_project_id, generation, sequence FROM durable_checkpoints
						WHERE project_id = ${projectId}`
			})
			UNION ALL
			SELECT parent.*, chain.depth + 1 FROM checkpoints AS parent
			JOIN chain ON parent.project_id = chain.parent_project_id
				AND parent.generation = chain.parent_generation AND parent.sequence = chain.parent_sequence
			WHERE chain.depth < ${chainMostLength}
		) SELECT * FROM chain ORDER BY depth DESC`.execute(database);
	if (rows[0] && rows[0].parentSequence !== null) throw new Error(`the chain of project ${projectId} has no beginning`);
	return rows.map(toCheckpoint);
}

interface ChainRow {
	projectId: string;
	generation: number;
	sequence: number;
	parentProjectId: string | null;
	parentGeneration: number | null;
	parentSequence: number | null;
	kind: Checkpoint["kind"];
	name: string | null;
	takenAt: Date;
	objectKey: string;
	start: number;
	bytes: number;
	sha256: Buffer;
}

function toCheckpoint(row: ChainRow): Checkpoint {
	const { projectId, generation, sequence, kind, name, start, bytes } = row;
	const { parentProjectId, parentGeneration, parentSequence } = row;
	const isFull = parentProjectId === null || parentGeneration === null || parentSequence === null;
	return {
		projectId,
		generation,
		sequence,
		parent: isFull ? null : { projectId: parentProjectId, generation: parentGeneration, sequence: parentSequence },
		kind,
		name,
		takenAt: row.takenAt.toISOString(),
		key: row.objectKey,
		start,
		bytes,
		sha256: row.sha256.toString("hex"),
	};
}

/** Which of these objects no checkpoint is in. */
export async function findUnnamedObjects(database: Database, keys: readonly string[]): Promise<string[]> {
	if (keys.length === 0) return [];
	const rows = await database
		.selectFrom("checkpoints")
		.select("objectKey")
		.distinct()
		.where("objectKey", "in", [...keys])
		.execute();
	const named = new Set(rows.map(({ objectKey }) => objectKey));
	return keys.filter((key) => !named.has(key));
}
