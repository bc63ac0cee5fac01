import { createRoute, z } from "@hono/zod-openapi";
import { CreateProject, RepldockError, UpdateProject } from "@repldock/protocol";
import { slugProposals } from "../domain/slug.ts";
import {
	findProject,
	isSlugFree,
	listProjects,
	restoreProject,
	trashProject,
	updateProject,
} from "../store/projects.ts";
import type { ApiParts } from "./context.ts";
import { routeGroup } from "./group.ts";
import { requireUser } from "./identity.ts";
import { createProject, findVisible, toApi } from "./project-actions.ts";
import {
	answers,
	created,
	done,
	IdParameter,
	jsonBody,
	listOf,
	PageQuery,
	Project,
	readCursor,
	SearchText,
	writeCursor,
} from "./schemas.ts";

const tags = ["Projects"];

const listRoute = createRoute({
	method: "get",
	path: "/projects",
	tags,
	summary: "Your projects, the last opened first",
	request: {
		query: PageQuery.extend({
			query: SearchText.default("").openapi({ description: "Part of a name or slug." }),
			trash: z
				.enum(["0", "1", "false", "true"])
				.default("0")
				.openapi({ description: "`1` lists the deleted ones that can still be restored." }),
		}),
	},
	responses: answers(listOf(Project), "A page of projects."),
});

const createRouteOfProject = createRoute({
	method: "post",
	path: "/projects",
	tags,
	summary: "Make a project from a template",
	description:
		"Without a slug, one is made from the name and gets a suffix when it is taken; with a slug, that one or none.",
	request: jsonBody(CreateProject),
	responses: created(Project, "The project."),
});

const readRoute = createRoute({
	method: "get",
	path: "/projects/{id}",
	tags,
	summary: "One project",
	description: "Public projects need no sign-in.",
	security: [{}, { session: [] }, { token: [] }],
	request: { params: IdParameter },
	responses: answers(Project, "The project."),
});

const changeRoute = createRoute({
	method: "patch",
	path: "/projects/{id}",
	tags,
	summary: "Rename a project, move it to another slug, publish it or make it private",
	request: { params: IdParameter, ...jsonBody(UpdateProject) },
	responses: answers(Project, "The project after the change."),
});

const deleteRoute = createRoute({
	method: "delete",
	path: "/projects/{id}",
	tags,
	summary: "Move a project to the trash",
	description: "It stops, and can be restored until `purgeAt`.",
	request: { params: IdParameter },
	responses: done("It is in the trash."),
});

const restoreRoute = createRoute({
	method: "post",
	path: "/projects/{id}/restore",
	tags,
	summary: "Take a project out of the trash",
	request: { params: IdParameter },
	responses: answers(Project, "The project."),
});

export function projectRoutes(parts: ApiParts) {
	const { database } = parts;
	return routeGroup()
		.openapi(listRoute, async (context) => {
			const { query, trash, cursor, limit } = context.req.valid("query");
			const after = readCursor(cursor);
			if (after && !z.uuid().safeParse(after.id).success) {
				throw new RepldockError("invalid_input", "The cursor is not one that this list gave.");
			}
			const projects = await listProjects(database, {
				ownerId: requireUser(context).id,
				trash: trash === "1" || trash === "true",
				search: query,
				after: after && { touchedAt: after.time, id: after.id },
				limit,
			});
			const last = projects.length === limit ? projects.at(-1) : undefined;
			return context.json(
				{
					items: projects.map((project) => toApi(parts, project)),
					nextCursor: last ? writeCursor(last.touchedAt, last.id) : null,
				},
				200,
			);
		})
		.openapi(createRouteOfProject, async (context) => {
			const project = await createProject(parts, requireUser(context), context.req.valid("json"));
			return context.json(toApi(parts, project), 201);
		})
		.openapi(readRoute, async (context) => {
			const { project, rights } = await findVisible(parts, context.req.valid("param").id, context.get("user"));
			return context.json(toApi(parts, project, rights), 200);
		})
		.openapi(changeRoute, async (context) => {
			const { id } = context.req.valid("param");
			const change = context.req.valid("json");
			await findVisible(parts, id, requireUser(context), "edit");
			const outcome = await updateProject(database, id, change);
			if (outcome === "slug_taken") throw await slugTaken(change.slug ?? "");
			if (outcome === "gone") throw new RepldockError("not_allowed", "This project is in the trash. Restore it first.");
			const project = await findProject(database, id);
			if (!project) throw new RepldockError("not_found", "There is no such project.");
			return context.json(toApi(parts, project), 200);
		})
		.openapi(deleteRoute, async (context) => {
			const { id } = context.req.valid("param");
			await findVisible(parts, id, requireUser(context), "edit");
			await trashProject(database, id);
			return context.body(null, 204);
		})
		.openapi(restoreRoute, async (context) => {
			const { id } = context.req.valid("param");
			await findVisible(parts, id, requireUser(context), "edit");
			const restored = await restoreProject(database, id);
			const project = await findProject(database, id);
			if (!restored || !project) throw new RepldockError("not_found", "This project is being removed for good.");
			return context.json(toApi(parts, project), 200);
		});

	async function slugTaken(wanted: string): Promise<RepldockError> {
		for (const proposal of slugProposals(wanted)) {
			if (proposal === wanted || !(await isSlugFree(database, proposal))) continue;
			const sentence = `This address is taken; ${proposal} is free.`;
			return new RepldockError("slug_taken", sentence, { fields: { slug: sentence } });
		}
		throw new Error("The proposals never end.");
	}
}
