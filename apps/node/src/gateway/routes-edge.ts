import { RepldockError } from "@repldock/protocol";
import { type Context, Hono } from "hono";
import { authorize } from "./authorize.ts";
import type { GatewayDependencies, GatewayEnvironment } from "./context.ts";
import { signVisit, verifyVisit } from "./visit.ts";

/**
 * Questions of the edge; it lets nobody else ask them. About visitors of private apps, the project's id is in
 * X-Repldock-Project, the visitor's token in X-Repldock-Access; 204 means "may".
 */
export function edgeRoutes(dependencies: GatewayDependencies): Hono<GatewayEnvironment> {
	const routes = new Hono<GatewayEnvironment>();

	/** Trades an access token for a visit token, which the edge hands out as a cookie. */
	routes.get("/enter", async (context) => {
		const { projectId, token } = question(context);
		const { sub, rightsVersion } = await authorize(dependencies, token, projectId);
		const visit = await signVisit(dependencies.accessSecret, { visit: projectId, sub, rightsVersion });
		return context.body(null, 204, { "X-Repldock-Access": visit });
	});

	routes.get("/authorize", async (context) => {
		const { projectId, token } = question(context);
		const claims = await verifyVisit(dependencies.accessSecret, token ?? "");
		const placement = dependencies.findPlacement(projectId);
		if (claims.visit !== projectId || !placement || claims.rightsVersion < placement.rightsVersion) {
			throw new RepldockError("not_allowed", "Your access to this app has ended. Open it from the project again.");
		}
		return context.body(null, 204);
	});

	/** Asked before a visitor is told that a project does not exist: its slug is in X-Repldock-Slug. */
	routes.get("/route", async (context) => {
		const knowledge = await dependencies.lookUpSlug(context.req.header("X-Repldock-Slug") ?? "");
		if (knowledge === "unknown") throw new RepldockError("not_found", "No project of this node has this address.");
		if (knowledge === "unsure") throw new RepldockError("not_placed_here", "This node does not know its projects yet.");
		return context.body(null, 204);
	});

	return routes;
}

function question(context: Context<GatewayEnvironment>): { projectId: string; token: string | undefined } {
	const projectId = context.req.header("X-Repldock-Project") ?? "";
	return { projectId, token: context.req.header("X-Repldock-Access") };
}
