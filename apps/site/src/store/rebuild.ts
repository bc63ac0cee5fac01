import type { Limits } from "@repldock/protocol";
import type { FoundProject } from "../domain/rebuild.ts";
import { slugFromName, slugProposals } from "../domain/slug.ts";
import { insertCheckpoint, moveForward, readKnowsSince } from "./checkpoints.ts";
import type { Database } from "./database.ts";
import { beginToLookAnew } from "./looks.ts";
import { isSlugFree } from "./projects.ts";
import { findFirstAdministrator } from "./users.ts";

export interface RebuildOptions {
	limits: Limits;
	/** Of projects whose objects do not say which; what a project is filled with is there already. */
	fallbackTemplate: string;
}

export interface Rebuilt {
	projects: number;
	checkpoints: number;
	/** Projects whose present state is a later one now. */
	moved: number;
	/** Projects that somebody deleted for good while this database knew of them; they stay deleted. */
	deleted: number;
}

/** How far a node's clock may be behind the database's. */
const clocksDifferMs = 60 * 60 * 1000;

/**
 * Adds the projects and checkpoints that the database lacks; what it has is left as it is, but for present states that
 * are behind. Repeating it changes nothing.
 * @throws Error when there is no administrator yet to whom projects could be given.
 */
export async function rebuildIndex(
	database: Database,
	found: readonly FoundProject[],
	options: RebuildOptions,
): Promise<Rebuilt> {
	const administrator = await findFirstAdministrator(database);
	if (!administrator) {
		throw new Error(
			"There is no administrator yet, to whom the projects could be given. Open the operator's link first.",
		);
	}
	const knowsSinceMs = (await readKnowsSince(database)).getTime();
	const rebuilt: Rebuilt = { projects: 0, checkpoints: 0, moved: 0, deleted: 0 };
	for (const project of found) {
		await database.transaction().execute(async (transaction) => {
			const present = await transaction
				.selectFrom("projects")
				.select("id")
				.where("id", "=", project.id)
				.forShare()
				.executeTakeFirst();
			if (!present) {
				if (project.firstTakenAt.getTime() > knowsSinceMs + clocksDifferMs) {
					rebuilt.deleted += 1;
					return;
				}
				await insertFound(transaction, project, administrator.id, options);
				rebuilt.projects += 1;
			}
			for (const checkpoint of project.borrowed) await insertCheckpoint(transaction, checkpoint, false);
			for (const { checkpoint, recovered } of project.checkpoints) {
				if (await insertCheckpoint(transaction, checkpoint, recovered)) rebuilt.checkpoints += 1;
			}
			if (await moveForward(transaction, project.current)) rebuilt.moved += 1;
			// What comes back may be old enough to go, and people have not seen it yet.
			if (!present) await beginToLookAnew(transaction);
		});
	}
	return rebuilt;
}

/** All objects were looked at: what no row names from now on is not needed. */
export async function knowsAll(database: Database): Promise<void> {
	await database
		.updateTable("objectIndex")
		.set({ knowsSince: new Date(0) })
		.execute();
}

async function insertFound(
	database: Database,
	{ id, facts, firstTakenAt, current }: FoundProject,
	administratorId: string,
	{ limits, fallbackTemplate }: RebuildOptions,
): Promise<void> {
	const owner =
		facts && (await database.selectFrom("users").select("id").where("id", "=", facts.ownerId).executeTakeFirst());
	const name = facts?.name ?? facts?.slug ?? `Recovered ${id.slice(0, 8)}`;
	const wanted = facts?.slug ?? slugFromName(name, "recovered");
	await database
		.insertInto("projects")
		.values({
			id,
			ownerId: owner?.id ?? administratorId,
			name,
			slug: await freeSlug(database, wanted),
			template: facts?.template ?? fallbackTemplate,
			// Who may see it is its owner's to say again, where that is not known.
			visibility: facts?.visibility ?? "private",
			...limits,
			createdAt: firstTakenAt,
			openedAt: new Date(current.sequence),
		})
		.execute();
}

async function freeSlug(database: Database, wanted: string): Promise<string> {
	for (const proposal of slugProposals(wanted)) if (await isSlugFree(database, proposal)) return proposal;
	throw new Error("The proposals never end.");
}
