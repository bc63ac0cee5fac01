import { createRoute, z } from "@hono/zod-openapi";
import { RepldockError } from "@repldock/protocol";
import { findProject, listForAdministrators, setAlwaysOn } from "../store/projects.ts";
import type { ApiParts } from "./context.ts";
import { routeGroup } from "./group.ts";
import { requireAdministrator } from "./identity.ts";
import { toApi } from "./project-actions.ts";
import { answers, IdParameter, jsonBody, listOf, PageQuery, Project, readCursor, writeCursor } from "./schemas.ts";

const tags = ["Administration"];

const listRoute = createRoute({
	method: "get",
	path: "/admin/projects",
	tags,
	summary: "The projects that are always on, or the one with a slug",
	request: {
		query: PageQuery.extend({
			slug: z
				.string()
				.regex(/^[a-z0-9-]{1,63}$/, "This is no address of a project.")
				.optional(),
		}),
	},
	responses: answers(listOf(Project), "A page of projects, the oldest first."),
});

const changeRoute = createRoute({
	method: "patch",
	path: "/admin/projects/{id}",
	tags,
	summary: "Let a project be always on, or sleep again when nobody uses it",
	description: "An owner's Stop still stops it.",
	request: { params: IdParameter, ...jsonBody(z.object({ alwaysOn: z.boolean() })) },
	responses: answers(Project, "The project after the change."),
});

/** What administrators may say about everybody's projects. */
export function alwaysOnRoutes(parts: ApiParts) {
	const { database } = parts;
	return routeGroup()
		.openapi(listRoute, async (context) => {
			requireAdministrator(context);
			const { slug, cursor, limit } = context.req.valid("query");
			const after = readCursor(cursor);
			if (after && !z.uuid().safeParse(after.id).success) {
				throw new RepldockError("invalid_input", "The cursor is not one that this list gave.");
			}
			const projects = await listForAdministrators(database, {
				slug,
				after: after && { createdAt: after.time, id: after.id },
				limit,
			});
			const last = projects.length === limit ? projects.at(-1) : undefined;
			return context.json(
				{
					items: projects.map((project) => toApi(parts, project)),
					nextCursor: last ? writeCursor(last.createdAt, last.id) : null,
				},
				200,
			);
		})
		.openapi(changeRoute, async (context) => {
			requireAdministrator(context);
			const { id } = context.req.valid("param");
			const changed = await setAlwaysOn(database, id, context.req.valid("json").alwaysOn);
			const project = await findProject(database, id);
			if (!changed || !project) throw new RepldockError("not_found", "There is no such project outside of the trash.");
			return context.json(toApi(parts, project), 200);
		});
}
