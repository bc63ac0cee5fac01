import { createRoute, z } from "@hono/zod-openapi";
import { RepldockError } from "@repldock/protocol";
import type { ApiParts } from "./context.ts";
import { routeGroup } from "./group.ts";
import { requireUser } from "./identity.ts";
import { answers, jsonBody } from "./schemas.ts";
import { decideVisit, VisitRequest } from "./visit-actions.ts";

const visitRoute = createRoute({
	method: "post",
	path: "/visits",
	tags: ["Visits"],
	summary: "Become known at an app's host",
	description:
		"Answers with an address on the app's host that lets the browser which came from there in, once and within 60 " +
		"seconds. The app then learns your id and name.",
	request: jsonBody(VisitRequest),
	responses: answers(z.object({ url: z.string() }), "Where to go on to."),
});

export function visitRoutes(parts: Pick<ApiParts, "database" | "ticketSigner" | "apps">) {
	return routeGroup().openapi(visitRoute, async (context) => {
		const outcome = await decideVisit(parts, context.req.valid("json"), requireUser(context));
		if (outcome.kind === "enter" || outcome.kind === "ask") return context.json({ url: outcome.url }, 200);
		throw new RepldockError("not_allowed", "There is no such app, or it is private. Ask its owner to let you see it.");
	});
}
