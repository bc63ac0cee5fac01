import { createRoute } from "@hono/zod-openapi";
import type { ApiParts } from "./context.ts";
import { routeGroup } from "./group.ts";
import { answers, listOf, Template } from "./schemas.ts";

const listTemplates = createRoute({
	method: "get",
	path: "/templates",
	tags: ["Projects"],
	summary: "What a project can begin with",
	security: [],
	responses: answers(listOf(Template), "All templates."),
});

export function templateRoutes(parts: Pick<ApiParts, "templates">) {
	return routeGroup().openapi(listTemplates, (context) =>
		context.json({ items: [...parts.templates], nextCursor: null }, 200),
	);
}
