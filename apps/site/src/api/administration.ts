import { createRoute, z } from "@hono/zod-openapi";
import { listNodes } from "../store/nodes.ts";
import { changeSettings, readSettings } from "../store/settings.ts";
import { listUsers } from "../store/users.ts";
import type { ApiParts } from "./context.ts";
import { routeGroup } from "./group.ts";
import { requireAdministrator } from "./identity.ts";
import { answers, jsonBody, listOf, PageQuery, readCursor, User, writeCursor } from "./schemas.ts";

const Settings = z.object({ registration: z.enum(["open", "closed"]) }).openapi("Settings");

const Node = z
	.object({
		id: z.uuid(),
		name: z.string(),
		gatewayUrl: z.string(),
		slots: z.int(),
		running: z.int(),
		placed: z.int(),
		live: z.boolean(),
		lastSeenAt: z.string(),
		createdAt: z.string(),
	})
	.openapi("Node");

const readSettingsRoute = createRoute({
	method: "get",
	path: "/settings",
	tags: ["Administration"],
	summary: "The site's settings",
	responses: answers(Settings, "The settings."),
});

const changeSettingsRoute = createRoute({
	method: "patch",
	path: "/settings",
	tags: ["Administration"],
	summary: "Change the site's settings",
	request: jsonBody(Settings.partial()),
	responses: answers(Settings, "The settings after the change."),
});

const listNodesRoute = createRoute({
	method: "get",
	path: "/nodes",
	tags: ["Administration"],
	summary: "The nodes and what they carry",
	responses: answers(listOf(Node), "All nodes."),
});

const listUsersRoute = createRoute({
	method: "get",
	path: "/users",
	tags: ["Administration"],
	summary: "Everyone who has an account",
	request: { query: PageQuery },
	responses: answers(
		listOf(User.extend({ createdAt: z.string(), projects: z.int() }).openapi("UserWithProjects")),
		"A page of users, the oldest first.",
	),
});

/** Routes for administrators alone. */
export function administrationRoutes({ database }: Pick<ApiParts, "database">) {
	return routeGroup()
		.openapi(readSettingsRoute, async (context) => {
			requireAdministrator(context);
			return context.json(await readSettings(database), 200);
		})
		.openapi(changeSettingsRoute, async (context) => {
			requireAdministrator(context);
			const { registration } = context.req.valid("json");
			return context.json(await changeSettings(database, registration === undefined ? {} : { registration }), 200);
		})
		.openapi(listNodesRoute, async (context) => {
			requireAdministrator(context);
			const items = (await listNodes(database)).map((node) => ({
				...node,
				lastSeenAt: node.lastSeenAt.toISOString(),
				createdAt: node.createdAt.toISOString(),
			}));
			return context.json({ items, nextCursor: null }, 200);
		})
		.openapi(listUsersRoute, async (context) => {
			requireAdministrator(context);
			const { cursor, limit } = context.req.valid("query");
			const after = readCursor(cursor);
			const users = await listUsers(database, after && { createdAt: after.time, id: after.id }, limit);
			const last = users.length === limit ? users.at(-1) : undefined;
			return context.json(
				{
					items: users.map((user) => ({ ...user, createdAt: user.createdAt.toISOString() })),
					nextCursor: last ? writeCursor(last.createdAt, last.id) : null,
				},
				200,
			);
		});
}
