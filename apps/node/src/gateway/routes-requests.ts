import { parseInput } from "@repldock/protocol";
import { Hono } from "hono";
import { z } from "zod";
import { requestsKept, type StatusFilter } from "../requests/request-log.ts";
import { requireEdit } from "./authorize.ts";
import type { GatewayDependencies, GatewayEnvironment } from "./context.ts";

const Query = z.object({
	limit: z.coerce.number().int().min(1).max(requestsKept).default(100),
	status: z
		.string()
		.regex(/^[1-5](?:\d\d|xx)$/, "Use a status such as 404, or a class such as 4xx.")
		.optional(),
});

/** What visitors asked of the app, under `/projects/<projectId>/requests`. */
export function requestRoutes({ requests }: GatewayDependencies): Hono<GatewayEnvironment> {
	const routes = new Hono<GatewayEnvironment>();

	routes.get("/", async (context) => {
		const { claims } = context.var;
		requireEdit(claims);
		const { limit, status } = parseInput(Query, context.req.query());
		const filter = status === undefined ? {} : { status: statusFilter(status) };
		return context.json(await requests.list(claims.projectId, { limit, ...filter }));
	});

	return routes;
}

function statusFilter(text: string): StatusFilter {
	return text.endsWith("xx") ? { class: Number(text[0]) } : { status: Number(text) };
}
