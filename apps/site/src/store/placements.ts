import type { CheckpointId, DesiredPlacement, ObservedPlacement } from "@repldock/protocol";
import { sql } from "kysely";
import { chooseNode } from "../domain/placement.ts";
import type { Database } from "./database.ts";
import { recordLeft } from "./moves.ts";
import { listNodes } from "./nodes.ts";

/**
 * Gives a project a node if it has none: generation 1 on the least loaded live node. Of several calls at once one wins.
 * @returns false when no node is alive.
 */
export async function placeProject(database: Database, projectId: string): Promise<boolean> {
	const node = chooseNode((await listNodes(database)).filter((candidate) => candidate.live));
	if (!node) return false;
	await database
		.insertInto("placements")
		// A project that was made anew from its objects had placements before, whose generations must not come again.
		.values({ projectId, nodeId: node.id, want: "stopped", generation: nextGeneration(projectId) })
		.onConflict((conflict) => conflict.column("projectId").doNothing())
		.execute();
	return true;
}

const nextGeneration = (projectId: string) => sql<number>`(
	SELECT coalesce(max(generation), 0) + 1 FROM checkpoints WHERE project_id = ${projectId})`;

/**
 * Wants a project running, because somebody opened it now. The version rises even if it was wanted running before: a
 * node starts a container that it stopped for want of users when the version rises.
 * @returns false when the project is in the trash, has no placement or is gone.
 */
export async function wantRunning(database: Database, projectId: string): Promise<boolean> {
	return database.transaction().execute(async (transaction) => {
		const opened = await transaction
			.updateTable("projects")
			.set({ openedAt: sql<Date>`now()` })
			.where("id", "=", projectId)
			.where("deletedAt", "is", null)
			.executeTakeFirst();
		if (opened.numUpdatedRows === 0n) return false;
		const wanted = await transaction
			.updateTable("placements")
			.set({ want: "running", wantVersion: sql<number>`want_version + 1` })
			.where("projectId", "=", projectId)
			.where("want", "!=", "purged")
			.executeTakeFirst();
		return wanted.numUpdatedRows > 0n;
	});
}

/**
 * How many containers of a person's projects run or are about to, one project aside. Those that are paused do not count:
 * they give way on their node.
 */
export async function countRunning(database: Database, ownerId: string, exceptProjectId: string): Promise<number> {
	const row = await database
		.selectFrom("placements")
		.innerJoin("projects", "projects.id", "placements.projectId")
		.select(({ fn }) => fn.countAll<string>().as("count"))
		.where("projects.ownerId", "=", ownerId)
		.where("projects.id", "!=", exceptProjectId)
		.where("placements.want", "=", "running")
		.where("placements.observedState", "in", ["starting", "running", "stopping"])
		.executeTakeFirstOrThrow();
	return Number(row.count);
}

/** Wants a project stopped; harmless when it is. */
export async function wantStopped(database: Database, projectId: string): Promise<void> {
	await database
		.updateTable("placements")
		.set({ want: "stopped", wantVersion: sql<number>`want_version + 1` })
		.where("projectId", "=", projectId)
		.where("want", "=", "running")
		.execute();
}

/** Names of a placement's project that are its to show. */
export const provedDomains = sql<string[]>`ARRAY(
	SELECT domains.name FROM domains
	WHERE domains.project_id = placements.project_id AND domains.verified_at IS NOT NULL ORDER BY domains.name)`;

const hasCheckpoints = sql<boolean>`EXISTS (
	SELECT FROM durable_checkpoints WHERE durable_checkpoints.project_id = placements.project_id)`;

/** Once something of its own is stored, a fork is never made anew. */
const copyOf = sql<string | null>`CASE WHEN NOT EXISTS (
	SELECT FROM durable_checkpoints WHERE durable_checkpoints.project_id = placements.project_id
		AND durable_checkpoints.checkpoint_project_id = placements.project_id) THEN projects.copy_of END`;

const beginsAs = sql<CheckpointId | null>`(
	SELECT json_build_object('projectId', checkpoint_project_id, 'generation', generation, 'sequence', sequence)
	FROM durable_checkpoints WHERE durable_checkpoints.project_id = placements.project_id
		AND durable_checkpoints.checkpoint_project_id <> placements.project_id)`;

/** What nodes hold, and what they are to let go of. */
const presentAndLeft = sql<{
	projectId: string;
	nodeId: string;
	generation: number;
	want: DesiredPlacement["want"];
	wantVersion: number;
	checkpointWanted: number;
}>`(
	SELECT project_id, node_id, generation, want, want_version, checkpoint_wanted FROM placements
	UNION ALL
	SELECT project_id, node_id, generation, 'left', 0, 0 FROM departures)`;

/** All that one node is to hold or to let go of, by project id. @param mostRunning of one person's containers. */
export async function listDesired(
	database: Database,
	nodeId: string,
	mostRunning: number,
): Promise<DesiredPlacement[]> {
	const rows = await database
		.selectFrom(presentAndLeft.as("placements"))
		.innerJoin("projects", "projects.id", "placements.projectId")
		.innerJoin("users", "users.id", "projects.ownerId")
		.select([
			"placements.projectId",
			"placements.generation",
			"placements.want",
			"placements.wantVersion",
			"projects.name",
			"projects.slug",
			"projects.ownerId",
			"users.name as ownerName",
			"projects.template",
			"projects.visibility",
			"projects.rightsVersion",
			"projects.memoryBytes",
			"projects.cpus",
			"projects.pids",
			"projects.diskBytes",
			provedDomains.as("domains"),
			hasCheckpoints.as("stored"),
			copyOf.as("copyOf"),
			beginsAs.as("beginsAs"),
			"placements.checkpointWanted",
			"projects.alwaysOn",
			"projects.networkMode",
			"projects.allowedDomains",
			"projects.egressBitsPerSecond",
			"projects.networkRestriction",
		])
		.where("placements.nodeId", "=", nodeId)
		.orderBy("placements.projectId")
		.execute();
	return rows.map((row) => {
		const { ownerId, ownerName, memoryBytes, cpus, pids, diskBytes, copyOf, ...rest } = row;
		const { networkMode: mode, allowedDomains, egressBitsPerSecond, networkRestriction, ...other } = rest;
		const { beginsAs, checkpointWanted, ...placement } = other;
		return {
			...placement,
			...(copyOf === null ? {} : { copyOf }),
			...(beginsAs === null ? {} : { beginsAs }),
			...(checkpointWanted === 0 ? {} : { checkpointWanted }),
			owner: { id: ownerId, name: ownerName, mostRunning },
			limits: { memoryBytes, cpus, pids, diskBytes },
			network: { mode, allowedDomains, egressBitsPerSecond, restriction: networkRestriction },
		};
	});
}

/**
 * Takes in what a node reports of one placement. A report that names another generation or another version of what is
 * wanted than the present one is out of date and changes nothing.
 * @returns whether it was taken in.
 */
export async function recordObserved(
	database: Database,
	nodeId: string,
	observed: ObservedPlacement,
): Promise<boolean> {
	if (observed.state === "purged") return removePurged(database, nodeId, observed);
	if (observed.state === "left") return recordLeft(database, nodeId, observed);
	const result = await database
		.updateTable("placements")
		.set({
			observedState: observed.state,
			observedWantVersion: observed.wantVersion,
			observedProblem: observed.problem && JSON.stringify(observed.problem),
			observedAt: sql<Date>`now()`,
		})
		.where("projectId", "=", observed.projectId)
		.where("nodeId", "=", nodeId)
		.where("generation", "=", observed.generation)
		.where("wantVersion", "=", observed.wantVersion)
		.executeTakeFirst();
	return result.numUpdatedRows > 0n;
}

/** The node has removed container and volume: the project is gone for good, and its slug is free. */
async function removePurged(database: Database, nodeId: string, observed: ObservedPlacement): Promise<boolean> {
	const result = await database
		.deleteFrom("projects")
		.using("placements")
		.whereRef("placements.projectId", "=", "projects.id")
		.where("projects.id", "=", observed.projectId)
		.where("placements.nodeId", "=", nodeId)
		.where("placements.generation", "=", observed.generation)
		.where("placements.wantVersion", "=", observed.wantVersion)
		.where("placements.want", "=", "purged")
		.executeTakeFirst();
	return result.numDeletedRows > 0n;
}
