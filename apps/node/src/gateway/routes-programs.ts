import { PtySize, RunRequest } from "@repldock/protocol";
import { Hono } from "hono";
import { requireEdit } from "./authorize.ts";
import type { GatewayDependencies, GatewayEnvironment } from "./context.ts";
import { readJson } from "./request-body.ts";

/** State and programs under `/projects/<projectId>`. */
export function programRoutes({ workspaces, runner }: GatewayDependencies): Hono<GatewayEnvironment> {
	const routes = new Hono<GatewayEnvironment>();

	routes.get("/state", async (context) => {
		const workspace = await workspaces.open(context.var.claims.projectId);
		return context.json(workspace.state());
	});

	routes.post("/run", async (context) => {
		const { claims } = context.var;
		requireEdit(claims);
		const request = await readJson(context.env.incoming, RunRequest);
		return context.json(await runner.run(claims.projectId, request));
	});

	routes.post("/stop", async (context) => {
		const { claims } = context.var;
		requireEdit(claims);
		await runner.stop(claims.projectId);
		return context.body(null, 204);
	});

	routes.post("/terminals", async (context) => {
		const { claims } = context.var;
		requireEdit(claims);
		const size = await readJson(context.env.incoming, PtySize);
		return context.json(await runner.openTerminal(claims.projectId, size));
	});

	routes.delete("/ptys/:ptyId", async (context) => {
		const { claims } = context.var;
		requireEdit(claims);
		await runner.closePty(claims.projectId, context.req.param("ptyId"));
		return context.body(null, 204);
	});

	return routes;
}
