import { type Limits, RepldockError } from "@repldock/protocol";
import { sql } from "kysely";
import { isRecorded } from "./checkpoints.ts";
import type { Database } from "./database.ts";
import { insertProject } from "./projects.ts";

/** Where the files of a fork come from. */
export interface ForkSource {
	/** A checkpoint in the object store that a fork can begin as; null when there is none. */
	readonly checkpoint: { projectId: string; generation: number; sequence: number; takenAt: Date } | null;
	/** Whether the project has, or is about to have, files other than its template's. */
	readonly hasFiles: boolean;
}

/** @param version one of its versions; its present state when it is left out. */
export async function findForkSource(
	database: Database,
	projectId: string,
	version: { generation: number; sequence: number } | undefined,
): Promise<ForkSource> {
	if (version) {
		const checkpoint = await database
			.selectFrom("checkpoints")
			.select(["projectId", "generation", "sequence", "takenAt"])
			.where("projectId", "=", projectId)
			.where("generation", "=", version.generation)
			.where("sequence", "=", version.sequence)
			.executeTakeFirst();
		return { checkpoint: checkpoint ?? null, hasFiles: true };
	}
	const project = await database
		.selectFrom("projects")
		.leftJoin("durableCheckpoints", "durableCheckpoints.projectId", "projects.id")
		.leftJoin("checkpoints", (join) =>
			join
				.onRef("checkpoints.projectId", "=", "durableCheckpoints.checkpointProjectId")
				.onRef("checkpoints.generation", "=", "durableCheckpoints.generation")
				.onRef("checkpoints.sequence", "=", "durableCheckpoints.sequence"),
		)
		.select([
			"durableCheckpoints.checkpointProjectId",
			"durableCheckpoints.generation",
			"durableCheckpoints.sequence",
			"checkpoints.takenAt",
			"projects.openedAt",
			"projects.copyOf",
		])
		.where("projects.id", "=", projectId)
		.executeTakeFirst();
	const { checkpointProjectId = null, generation = null, sequence = null, takenAt = null } = project ?? {};
	const isStored = checkpointProjectId !== null && generation !== null && sequence !== null && takenAt !== null;
	return {
		checkpoint: isStored ? { projectId: checkpointProjectId, generation, sequence, takenAt } : null,
		hasFiles: isStored || (project?.openedAt ?? null) !== null || (project?.copyOf ?? null) !== null,
	};
}

export interface NewFork {
	readonly originId: string;
	readonly ownerId: string;
	readonly name: string;
	readonly slug: string;
	readonly template: string;
	readonly limits: Limits;
	readonly checkpoint: ForkSource["checkpoint"];
	/** Its node; null when none is alive, and it gets one when it is first opened. */
	readonly nodeId: string | null;
	/** Whether its volume is to be a copy of the origin's, which is on that node. */
	readonly copiesVolume: boolean;
	/** Whether its owner may know which domains the origin's network is open to. */
	readonly mayEditOrigin: boolean;
}

/**
 * Makes a private project that begins as another one is. All of it or nothing is written: from then on its rows keep what
 * it needs of the origin. What an administrator did to the origin's network is done to the fork too; domains, always-on
 * and raised limits stay with the origin.
 * @returns its id; undefined when the slug is taken.
 * @throws RepldockError `not_found` when the checkpoint was thinned out since it was found.
 */
export async function insertFork(database: Database, fork: NewFork): Promise<string | undefined> {
	const { originId, ownerId, name, slug, template, limits, checkpoint, nodeId } = fork;
	return database.transaction().execute(async (transaction) => {
		const id = await insertProject(transaction, { ownerId, name, slug, template, visibility: "private", limits });
		if (id === undefined) return undefined;
		await sql`
			UPDATE projects SET
				copy_of = ${fork.copiesVolume ? originId : null}::uuid,
				network_mode = origin.network_mode,
				allowed_domains = CASE WHEN ${fork.mayEditOrigin} THEN origin.allowed_domains ELSE '{}' END,
				egress_bits_per_second = origin.egress_bits_per_second,
				network_restriction = origin.network_restriction,
				network_restricted_at = origin.network_restricted_at
			FROM projects AS origin WHERE projects.id = ${id} AND origin.id = ${originId}`.execute(transaction);
		if (checkpoint) {
			// From here on it cannot be thinned out.
			if (!(await isRecorded(transaction, checkpoint))) {
				throw new RepldockError("not_found", "What was to be forked changed in this moment. Try again.");
			}
			const { projectId: checkpointProjectId, generation, sequence } = checkpoint;
			await transaction
				.insertInto("durableCheckpoints")
				.values({ projectId: id, checkpointProjectId, generation, sequence })
				.execute();
		}
		if (nodeId !== null) {
			await transaction.insertInto("placements").values({ projectId: id, nodeId, want: "stopped" }).execute();
		}
		return id;
	});
}
