import { createRoute } from "@hono/zod-openapi";
import { wantStopped } from "../store/placements.ts";
import type { ApiParts } from "./context.ts";
import { routeGroup } from "./group.ts";
import { requireUser } from "./identity.ts";
import { findVisible, grantTicket } from "./project-actions.ts";
import { answers, done, IdParameter, TicketGrant } from "./schemas.ts";

const tags = ["Workspace"];

const ticketRoute = createRoute({
	method: "post",
	path: "/projects/{id}/ticket",
	tags,
	summary: "Get a ticket to a project's node, and wake the project",
	description:
		"The ticket is good for 60 seconds and for one project. Exchange it at `POST <gatewayUrl>/access`. Owners and " +
		"administrators get the right `edit`, which also starts the container; others get `view` on public projects.",
	request: { params: IdParameter },
	responses: answers(TicketGrant, "The ticket and where to use it."),
});

const stopRoute = createRoute({
	method: "post",
	path: "/projects/{id}/stop",
	tags,
	summary: "Stop a project's container",
	description: "Everything that runs in it ends; its files stay. Opening the project starts it again.",
	request: { params: IdParameter },
	responses: done("It is being stopped."),
});

export function workspaceRoutes(parts: ApiParts) {
	return routeGroup()
		.openapi(ticketRoute, async (context) => {
			const user = requireUser(context);
			return context.json(await grantTicket(parts, context.req.valid("param").id, user), 200);
		})
		.openapi(stopRoute, async (context) => {
			const { id } = context.req.valid("param");
			await findVisible(parts, id, requireUser(context), "edit");
			await wantStopped(parts.database, id);
			return context.body(null, 204);
		});
}
