import type { Limits, NetworkRestriction, Visibility } from "@repldock/protocol";
import { type SelectQueryBuilder, sql } from "kysely";
import type { PlacementView } from "../domain/placement.ts";
import type { Database } from "./database.ts";
import { readRestriction } from "./network-restrictions.ts";
import { isLive } from "./nodes.ts";
import { parseStoredProblem } from "./stored-problem.ts";

/** A project with its owner's name and its placement, if it has one. */
export interface StoredProject {
	readonly id: string;
	readonly ownerId: string;
	readonly ownerName: string;
	readonly name: string;
	readonly slug: string;
	readonly template: string;
	readonly visibility: Visibility;
	readonly rightsVersion: number;
	readonly alwaysOn: boolean;
	readonly networkRestriction: NetworkRestriction | null;
	readonly networkAnswer: string | null;
	readonly createdAt: Date;
	readonly updatedAt: Date;
	readonly openedAt: Date | null;
	readonly deletedAt: Date | null;
	readonly touchedAt: Date;
	readonly placement: (PlacementView & { nodeId: string; gatewayUrl: string }) | null;
}

function selectProjects(database: Database) {
	return database
		.selectFrom("projects")
		.innerJoin("users", "users.id", "projects.ownerId")
		.leftJoin("placements", "placements.projectId", "projects.id")
		.leftJoin("nodes", "nodes.id", "placements.nodeId")
		.select([
			"projects.id",
			"projects.ownerId",
			"users.name as ownerName",
			"projects.name",
			"projects.slug",
			"projects.template",
			"projects.visibility",
			"projects.rightsVersion",
			"projects.alwaysOn",
			"projects.networkRestriction",
			"projects.networkAnswer",
			"projects.createdAt",
			"projects.updatedAt",
			"projects.openedAt",
			"projects.deletedAt",
			"projects.touchedAt",
			"placements.want",
			"placements.wantVersion",
			"placements.observedState",
			"placements.observedWantVersion",
			"placements.observedProblem",
			"placements.nodeId",
			"nodes.gatewayUrl",
			isLive.as("nodeIsLive"),
		]);
}

type ProjectRow =
	ReturnType<typeof selectProjects> extends SelectQueryBuilder<infer _All, infer _From, infer Row> ? Row : never;

function toProject(row: ProjectRow): StoredProject {
	const {
		want,
		wantVersion,
		observedState,
		observedWantVersion,
		observedProblem,
		nodeId,
		gatewayUrl,
		nodeIsLive,
		networkRestriction,
		...rest
	} = row;
	const project = { ...rest, networkRestriction: readRestriction(networkRestriction) };
	if (want === null || wantVersion === null || nodeId === null || gatewayUrl === null) {
		return { ...project, placement: null };
	}
	return {
		...project,
		placement: {
			want,
			wantVersion,
			observedState,
			observedWantVersion,
			observedProblem: parseStoredProblem(observedProblem),
			nodeId,
			gatewayUrl,
			nodeIsLive,
		},
	};
}

/** @returns the new project's id; undefined when the slug is taken. */
export async function insertProject(
	database: Database,
	project: { ownerId: string; name: string; slug: string; template: string; visibility: Visibility; limits: Limits },
): Promise<string | undefined> {
	const { limits, ...values } = project;
	const row = await database
		.insertInto("projects")
		.values({ ...values, ...limits })
		.onConflict((conflict) => conflict.column("slug").doNothing())
		.returning("id")
		.executeTakeFirst();
	return row?.id;
}

/** How many projects a person has, those in the trash included. */
export async function countProjects(database: Database, ownerId: string): Promise<number> {
	const row = await database
		.selectFrom("projects")
		.select(({ fn }) => fn.countAll<string>().as("count"))
		.where("ownerId", "=", ownerId)
		.executeTakeFirstOrThrow();
	return Number(row.count);
}

export async function findProject(database: Database, id: string): Promise<StoredProject | undefined> {
	const row = await selectProjects(database).where("projects.id", "=", id).executeTakeFirst();
	return row && toProject(row);
}

/** Which of these slugs is free, the first of them; by what was committed, so it may be taken in the next moment. */
export async function isSlugFree(database: Database, slug: string): Promise<boolean> {
	return !(await database.selectFrom("projects").select("id").where("slug", "=", slug).executeTakeFirst());
}

/**
 * One page of a person's projects, the last opened first.
 * @param search part of a name or slug, in any case.
 */
export async function listProjects(
	database: Database,
	options: {
		ownerId: string;
		trash: boolean;
		search: string;
		after: { touchedAt: Date; id: string } | undefined;
		limit: number;
	},
): Promise<StoredProject[]> {
	let query = selectProjects(database)
		.where("projects.ownerId", "=", options.ownerId)
		.where("projects.deletedAt", options.trash ? "is not" : "is", null)
		.orderBy("projects.touchedAt", "desc")
		.orderBy("projects.id", "desc")
		.limit(options.limit);
	if (options.search !== "") {
		const pattern = `%${options.search.replace(/[\\%_]/g, "\\$&")}%`;
		query = query.where((build) =>
			build.or([build("projects.name", "ilike", pattern), build("projects.slug", "ilike", pattern)]),
		);
	}
	const { after } = options;
	if (after) {
		query = query.where((build) =>
			build(build.refTuple("projects.touchedAt", "projects.id"), "<", build.tuple(after.touchedAt, after.id)),
		);
	}
	return (await query.execute()).map(toProject);
}

/** The projects that are always on, or the one with this slug, the oldest first; those in the trash aside. */
export async function listForAdministrators(
	database: Database,
	options: { slug: string | undefined; after: { createdAt: Date; id: string } | undefined; limit: number },
): Promise<StoredProject[]> {
	const { slug, after, limit } = options;
	let query = selectProjects(database)
		.where("projects.deletedAt", "is", null)
		.orderBy("projects.createdAt")
		.orderBy("projects.id")
		.limit(limit);
	query = slug === undefined ? query.where("projects.alwaysOn", "=", true) : query.where("projects.slug", "=", slug);
	if (after) {
		query = query.where((build) =>
			build(build.refTuple("projects.createdAt", "projects.id"), ">", build.tuple(after.createdAt, after.id)),
		);
	}
	return (await query.execute()).map(toProject);
}

/** Gives a project the right to be always on, or takes it away. @returns false when it is in the trash or gone. */
export async function setAlwaysOn(database: Database, id: string, alwaysOn: boolean): Promise<boolean> {
	const result = await database
		.updateTable("projects")
		.set({ alwaysOn, updatedAt: sql<Date>`now()` })
		.where("id", "=", id)
		.where("deletedAt", "is", null)
		.executeTakeFirst();
	return result.numUpdatedRows > 0n;
}

/**
 * Changes a project that is not in the trash. Taking the public's right to see it away raises `rights_version`.
 * @returns `slug_taken` when another project has the slug, `gone` when there is no such project outside of the trash.
 */
export async function updateProject(
	database: Database,
	id: string,
	change: { name?: string | undefined; slug?: string | undefined; visibility?: Visibility | undefined },
): Promise<"updated" | "slug_taken" | "gone"> {
	const becomesPrivate = sql<number>`rights_version + CASE WHEN visibility = 'public' THEN 1 ELSE 0 END`;
	try {
		const result = await database
			.updateTable("projects")
			.set({
				...(change.name === undefined ? {} : { name: change.name }),
				...(change.slug === undefined ? {} : { slug: change.slug }),
				...(change.visibility === undefined ? {} : { visibility: change.visibility }),
				...(change.visibility === "private" ? { rightsVersion: becomesPrivate } : {}),
				updatedAt: sql<Date>`now()`,
			})
			.where("id", "=", id)
			.where("deletedAt", "is", null)
			.executeTakeFirst();
		return result.numUpdatedRows > 0n ? "updated" : "gone";
	} catch (error) {
		if (isUniqueViolation(error)) return "slug_taken";
		throw error;
	}
}

export function isUniqueViolation(error: unknown): boolean {
	return error instanceof Error && "code" in error && error.code === "23505";
}

/** Moves a project to the trash, stops it and ends the rights that were given out. Harmless when it is there already. */
export async function trashProject(database: Database, id: string): Promise<void> {
	await database.transaction().execute(async (transaction) => {
		const result = await transaction
			.updateTable("projects")
			.set({ deletedAt: sql<Date>`now()`, rightsVersion: sql<number>`rights_version + 1` })
			.where("id", "=", id)
			.where("deletedAt", "is", null)
			.executeTakeFirst();
		if (result.numUpdatedRows === 0n) return;
		await transaction
			.updateTable("placements")
			.set({ want: "stopped", wantVersion: sql<number>`want_version + 1` })
			.where("projectId", "=", id)
			.where("want", "=", "running")
			.execute();
	});
}

/** Takes a project out of the trash. @returns false when it is being removed for good already, or is gone. */
export async function restoreProject(database: Database, id: string): Promise<boolean> {
	return database.transaction().execute(async (transaction) => {
		// Locked first, by a statement of its own: only the next one sees what a purge that held the lock has written.
		await transaction.selectFrom("projects").select("id").where("id", "=", id).forUpdate().execute();
		const result = await transaction
			.updateTable("projects")
			.set({ deletedAt: null, updatedAt: sql<Date>`now()` })
			.where("id", "=", id)
			.where(isNotBeingPurged)
			.executeTakeFirst();
		return result.numUpdatedRows > 0n;
	});
}

const isNotBeingPurged = sql<boolean>`NOT EXISTS (
	SELECT FROM placements WHERE placements.project_id = projects.id AND placements.want = 'purged')`;

/**
 * Begins the removal of projects whose time in the trash is over: nodes are told to purge those that have a volume,
 * the others are gone at once.
 */
export async function purgeTrash(database: Database, trashTimeMs: number): Promise<{ begun: number; removed: number }> {
	const isDue = sql<boolean>`projects.deleted_at <= now() - ${trashTimeMs}::bigint * interval '1 millisecond'`;
	return database.transaction().execute(async (transaction) => {
		// Rows are locked in the order that restoring takes: first the project, then its placement.
		const due = await transaction.selectFrom("projects").select("id").where(isDue).forUpdate().execute();
		const ids = due.map((row) => row.id);
		if (ids.length === 0) return { begun: 0, removed: 0 };
		const begun = await transaction
			.updateTable("placements")
			.set({ want: "purged", wantVersion: sql<number>`want_version + 1` })
			.where("projectId", "in", ids)
			.where("want", "!=", "purged")
			.executeTakeFirst();
		const removed = await transaction
			.deleteFrom("projects")
			.where("id", "in", ids)
			.where((build) =>
				build.not(
					build.exists(
						build.selectFrom("placements").select("projectId").whereRef("placements.projectId", "=", "projects.id"),
					),
				),
			)
			.executeTakeFirst();
		return { begun: Number(begun.numUpdatedRows), removed: Number(removed.numDeletedRows) };
	});
}
