import type * as protocol from "@repldock/protocol";
import { type CreateProject, RepldockError, type Rights, type TicketGrant } from "@repldock/protocol";
import type { z } from "zod";
import { appUrl } from "../domain/address.ts";
import { shownState } from "../domain/placement.ts";
import { rightsOn } from "../domain/rights.ts";
import { slugFromName, slugProposals } from "../domain/slug.ts";
import { purgeTime } from "../domain/trash.ts";
import { moveFromGone } from "../store/moves.ts";
import { countRunning, placeProject, wantRunning } from "../store/placements.ts";
import { countProjects, findProject, insertProject, type StoredProject } from "../store/projects.ts";
import type { User } from "../store/users.ts";
import type { ApiParts } from "./context.ts";

/** Collisions that are taken before giving up; random proposals collide once in millions. */
const slugAttempts = 20;

/**
 * A project as the API shows it.
 * @param rights of who looks: what an administrator did to it is between them and the owner.
 */
export function toApi(
	parts: Pick<ApiParts, "apps" | "trashTimeMs">,
	project: StoredProject,
	rights: Rights = "edit",
): protocol.Project {
	const { id, name, slug, template, visibility, ownerName, alwaysOn, deletedAt } = project;
	return {
		id,
		name,
		slug,
		template,
		visibility,
		ownerName,
		url: appUrl(parts.apps, slug),
		...shownState(project.placement),
		alwaysOn,
		networkRestriction: rights === "edit" ? project.networkRestriction : null,
		networkAnswer: rights === "edit" ? project.networkAnswer : null,
		createdAt: project.createdAt.toISOString(),
		updatedAt: project.updatedAt.toISOString(),
		openedAt: project.openedAt?.toISOString() ?? null,
		deletedAt: deletedAt?.toISOString() ?? null,
		purgeAt: deletedAt ? purgeTime(deletedAt, parts.trashTimeMs).toISOString() : null,
	};
}

/**
 * A project and what the person may do with it.
 * @throws RepldockError `not_found` when the person may not see it, `not_allowed` when they may only see it.
 */
export async function findVisible(
	parts: Pick<ApiParts, "database">,
	id: string,
	user: User | null,
	needed: Rights = "view",
): Promise<{ project: StoredProject; rights: Rights }> {
	const project = await findProject(parts.database, id);
	const rights = project ? rightsOn(project, user) : null;
	if (!project || !rights) throw new RepldockError("not_found", "There is no such project, or it is not yours.");
	if (needed === "edit" && rights !== "edit") {
		throw new RepldockError("not_allowed", "Only the owner of this project may do this.");
	}
	return { project, rights };
}

/**
 * Makes a project and gives it a node; without a live node it gets one when it is first opened.
 * @throws RepldockError `invalid_input` for an unknown template, `slug_taken` for a wanted slug, `limit_reached`.
 */
export async function createProject(
	parts: ApiParts,
	owner: User,
	input: z.output<typeof CreateProject>,
): Promise<StoredProject> {
	const { database } = parts;
	const template = parts.templates.find((candidate) => candidate.id === input.template);
	if (!template) {
		const sentence = "There is no such template.";
		throw new RepldockError("invalid_input", sentence, { fields: { template: sentence } });
	}
	await requireProjectsLeft(parts, owner);
	const name = input.name ?? template.name;
	return insertUnderFreeSlug(parts, input.slug, slugFromName(name, template.id), async (slug) => {
		const id = await insertProject(database, {
			ownerId: owner.id,
			name,
			slug,
			template: template.id,
			visibility: input.visibility,
			limits: parts.newProjectLimits,
		});
		if (id !== undefined) await placeProject(database, id);
		return id;
	});
}

/** @throws RepldockError `limit_reached` */
export async function requireProjectsLeft(parts: ApiParts, owner: User): Promise<void> {
	if ((await countProjects(parts.database, owner.id)) < parts.projectsPerUser) return;
	throw new RepldockError(
		"limit_reached",
		`You have ${parts.projectsPerUser} projects, which is the most here. Delete one, or ask your operator for more.`,
	);
}

/**
 * Inserts a project under the wanted slug, or, without one, under one like `base` that is free.
 * @param insert returns undefined when the slug is taken.
 * @throws RepldockError `slug_taken`
 */
export async function insertUnderFreeSlug(
	parts: ApiParts,
	wanted: string | undefined,
	base: string,
	insert: (slug: string) => Promise<string | undefined>,
): Promise<StoredProject> {
	let attempts = 0;
	for (const slug of wanted === undefined ? slugProposals(base) : [wanted]) {
		const id = await insert(slug);
		if (id !== undefined) {
			const project = await findProject(parts.database, id);
			if (!project) throw new RepldockError("not_found", "This project was removed again.");
			return project;
		}
		attempts += 1;
		if (attempts >= slugAttempts) break;
	}
	const sentence = "This address is taken; choose another one.";
	throw new RepldockError("slug_taken", sentence, { fields: { slug: sentence } });
}

/**
 * Lets a person into a project on its node. Who may edit also wakes it; who may only look does not.
 * @throws RepldockError `not_allowed` in the trash, `no_node` when it has no node yet and none is alive,
 *   `node_unreachable` when its node is not alive.
 */
export async function grantTicket(parts: ApiParts, id: string, user: User): Promise<TicketGrant> {
	const { database } = parts;
	const { project, rights } = await findVisible(parts, id, user);
	if (project.deletedAt) throw new RepldockError("not_allowed", "This project is in the trash. Restore it first.");
	if (!project.placement && !(await placeProject(database, id))) {
		throw new RepldockError("no_node", "No server can take this project now. Try again in a minute.");
	}
	if (await moveFromGone(database, id, parts.nodeGoneAfterMs)) {
		parts.log.info({ project: id }, "a project was taken from a server that does not answer to another one");
	}
	if (rights === "edit" && (await countRunning(database, project.ownerId, id)) >= parts.runningPerUser) {
		throw new RepldockError(
			"limit_reached",
			`${parts.runningPerUser} projects run already, which is the most here. Stop one and open this one again.`,
		);
	}
	if (rights === "edit" && !(await wantRunning(database, id))) {
		throw new RepldockError("not_found", "This project was deleted just now.");
	}
	// Read again: placement and rights version may have changed meanwhile.
	const current = await findVisible(parts, id, user);
	const { placement, rightsVersion } = current.project;
	if (!placement?.nodeIsLive) {
		throw new RepldockError(
			"node_unreachable",
			"The server that holds this project does not answer. Try again in a minute.",
		);
	}
	const ticket = await parts.ticketSigner.sign({
		nodeId: placement.nodeId,
		user,
		projectId: id,
		rights: current.rights,
		rightsVersion,
		wantVersion: placement.wantVersion,
	});
	return { ticket, gatewayUrl: placement.gatewayUrl, rights: current.rights };
}
