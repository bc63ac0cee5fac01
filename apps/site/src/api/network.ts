import { createRoute, z } from "@hono/zod-openapi";
import * as protocol from "@repldock/protocol";
import { RepldockError } from "@repldock/protocol";
import { findNetwork, updateNetwork } from "../store/network.ts";
import type { ApiParts } from "./context.ts";
import { routeGroup } from "./group.ts";
import { requireUser } from "./identity.ts";
import { findVisible } from "./project-actions.ts";
import { answers, IdParameter, jsonBody } from "./schemas.ts";

const tags = ["Network"];
const NetworkSettings = z.object(protocol.NetworkSettings.shape).openapi("NetworkSettings");

const readRoute = createRoute({
	method: "get",
	path: "/projects/{id}/network",
	tags,
	summary: "What a project's programs may reach",
	request: { params: IdParameter },
	responses: answers(NetworkSettings, "Its mode and list, and what an operator did to it."),
});

const changeRoute = createRoute({
	method: "patch",
	path: "/projects/{id}/network",
	tags,
	summary: "Open a project's network, limit it to a list of domains, or close it",
	description: "It takes effect while the project runs; connections that are no longer allowed are cut.",
	request: { params: IdParameter, ...jsonBody(protocol.UpdateNetwork) },
	responses: answers(NetworkSettings, "The settings after the change."),
});

export function networkRoutes(parts: ApiParts) {
	const { database } = parts;

	async function read(id: string) {
		const settings = await findNetwork(database, id);
		if (!settings) throw new RepldockError("not_found", "There is no such project.");
		return settings;
	}

	return routeGroup()
		.openapi(readRoute, async (context) => {
			const { id } = context.req.valid("param");
			await findVisible(parts, id, requireUser(context), "edit");
			return context.json(await read(id), 200);
		})
		.openapi(changeRoute, async (context) => {
			const { id } = context.req.valid("param");
			await findVisible(parts, id, requireUser(context), "edit");
			if (!(await updateNetwork(database, id, context.req.valid("json"))))
				throw new RepldockError("not_allowed", "This project is in the trash. Restore it first.");
			return context.json(await read(id), 200);
		});
}
