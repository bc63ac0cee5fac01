import { createRoute, z } from "@hono/zod-openapi";
import * as protocol from "@repldock/protocol";
import { RepldockError } from "@repldock/protocol";
import { listAlerts } from "../store/network-alerts.ts";
import { answerRestriction, listNetworked, restrictNetwork } from "../store/network-restrictions.ts";
import { listNodes } from "../store/nodes.ts";
import { findProject } from "../store/projects.ts";
import { readNodeTraffic, readTrafficSummary } from "../store/traffic.ts";
import type { ApiParts } from "./context.ts";
import { routeGroup } from "./group.ts";
import { requireAdministrator, requireUser } from "./identity.ts";
import { nodeTrafficView } from "./node-traffic-view.ts";
import { findVisible, toApi } from "./project-actions.ts";
import { answers, IdParameter, jsonBody, Project } from "./schemas.ts";
import { NodeTrafficView } from "./traffic-schemas.ts";

const alertsShown = 50;

const sentence = (most: number, empty: string) =>
	z
		.string()
		.trim()
		.min(1, empty)
		.max(most, `Use at most ${most} characters.`)
		.refine((text) => !text.includes("\0"), "This cannot hold a NUL character.");

const RestrictNetwork = z
	.object({
		kind: z.enum(["throttled", "closed"]),
		/** For `throttled`. */
		bitsPerSecond: z.int().min(8_000, "At least 8 kbit/s; close the network if it is to send nothing.").nullable(),
		reason: sentence(500, "Say why: the owner reads it."),
	})
	.refine(({ kind, bitsPerSecond }) => (kind === "throttled") === (bitsPerSecond !== null), {
		message: "Say how much it may send when it is throttled, and only then.",
		path: ["bitsPerSecond"],
	});

const summaryRoute = createRoute({
	method: "get",
	path: "/projects/{id}/traffic",
	tags: ["Projects"],
	summary: "What a project sent and received",
	description: "Sums of the ledger since midnight and since the first of the month, in UTC; about ten seconds behind.",
	request: { params: IdParameter },
	responses: answers(z.object(protocol.TrafficSummary.shape).openapi("TrafficSummary"), "The sums."),
});

const answerRoute = createRoute({
	method: "post",
	path: "/projects/{id}/network-answer",
	tags: ["Projects"],
	summary: "Answer to the restriction of a project's network",
	description: "One text, which the next one replaces; administrators see it beside the reason.",
	request: { params: IdParameter, ...jsonBody(z.object({ text: sentence(2_000, "Write an answer.") })) },
	responses: answers(Project, "The project after that."),
});

const nodeRoute = createRoute({
	method: "get",
	path: "/nodes/{id}/traffic",
	tags: ["Administration"],
	summary: "How a node's network stands",
	request: { params: IdParameter },
	responses: answers(NodeTrafficView, "Uplink, top talkers, restricted projects and alerts."),
});

const restrictRoute = createRoute({
	method: "post",
	path: "/admin/projects/{id}/network-restriction",
	tags: ["Administration"],
	summary: "Throttle or close a project's network",
	description: "It acts at once. The owner sees the reason and can answer.",
	request: { params: IdParameter, ...jsonBody(RestrictNetwork) },
	responses: answers(Project, "The project after that."),
});

const liftRoute = createRoute({
	method: "delete",
	path: "/admin/projects/{id}/network-restriction",
	tags: ["Administration"],
	summary: "Lift the restriction of a project's network",
	request: { params: IdParameter },
	responses: answers(Project, "The project after that."),
});

/** The ledger for owners; the network of nodes, and what is done about it, for administrators. */
export function trafficRoutes(parts: ApiParts) {
	const { database } = parts;

	async function projectAfter(id: string, changed: boolean) {
		const project = changed ? await findProject(database, id) : undefined;
		if (!project) throw new RepldockError("not_found", "There is no such project.");
		return toApi(parts, project);
	}

	return routeGroup()
		.openapi(summaryRoute, async (context) => {
			const { id } = context.req.valid("param");
			await findVisible(parts, id, requireUser(context), "edit");
			return context.json(await readTrafficSummary(database, id), 200);
		})
		.openapi(answerRoute, async (context) => {
			const { id } = context.req.valid("param");
			await findVisible(parts, id, requireUser(context), "edit");
			if (!(await answerRestriction(database, id, context.req.valid("json").text))) {
				throw new RepldockError("not_allowed", "Nothing is restricted any more; reload the page.");
			}
			return context.json(await projectAfter(id, true), 200);
		})
		.openapi(nodeRoute, async (context) => {
			requireAdministrator(context);
			const { id } = context.req.valid("param");
			const node = (await listNodes(database)).find((candidate) => candidate.id === id);
			if (!node) throw new RepldockError("not_found", "There is no such node.");
			const [traffic, alerts] = await Promise.all([
				readNodeTraffic(database, id),
				listAlerts(database, id, alertsShown),
			]);
			const projects = await listNetworked(database, id, traffic?.top.map(({ projectId }) => projectId) ?? []);
			return context.json(nodeTrafficView(node, traffic, projects, alerts), 200);
		})
		.openapi(restrictRoute, async (context) => {
			requireAdministrator(context);
			const { id } = context.req.valid("param");
			const changed = await restrictNetwork(database, id, context.req.valid("json"));
			return context.json(await projectAfter(id, changed), 200);
		})
		.openapi(liftRoute, async (context) => {
			requireAdministrator(context);
			const { id } = context.req.valid("param");
			return context.json(await projectAfter(id, await restrictNetwork(database, id, null)), 200);
		});
}
