import { createRoute, z } from "@hono/zod-openapi";
import { ForkProject, ProjectForked, projectNameMaxLength, RepldockError } from "@repldock/protocol";
import { chooseNode, hasRoom } from "../domain/placement.ts";
import { slugFromName } from "../domain/slug.ts";
import { awaitOwnCheckpoint, awaitPresentState } from "../store/awaited-checkpoints.ts";
import { type ForkSource, findForkSource, insertFork } from "../store/forks.ts";
import { listNodes } from "../store/nodes.ts";
import type { StoredProject } from "../store/projects.ts";
import type { User } from "../store/users.ts";
import type { ApiParts } from "./context.ts";
import { routeGroup } from "./group.ts";
import { requireUser } from "./identity.ts";
import { findVisible, insertUnderFreeSlug, requireProjectsLeft, toApi } from "./project-actions.ts";
import { created, IdParameter, jsonBody } from "./schemas.ts";

const Forked = z.object(ProjectForked.shape).openapi("ProjectForked");

const forkRoute = createRoute({
	method: "post",
	path: "/projects/{id}/fork",
	tags: ["Projects"],
	summary: "Fork a project: a project of your own that begins as this one is",
	description:
		"Whoever may see a project may fork it. The fork is private and counts as one of your projects. It has the files, or " +
		"those of one version; domains, always-on and raised limits stay with the origin, what an administrator did to its " +
		"network does not. The origin's server is asked for what is newer than the object store knows; when that cannot be " +
		"had in time, `asOf` tells of which moment the files are.",
	request: { params: IdParameter, ...jsonBody(ForkProject) },
	responses: created(Forked, "The fork, and of when its files are."),
});

export function forkRoutes(parts: ApiParts) {
	return routeGroup().openapi(forkRoute, async (context) => {
		const user = requireUser(context);
		const { fork, asOf } = await forkProject(parts, user, context.req.valid("param").id, context.req.valid("json"));
		return context.json({ ...toApi(parts, fork), asOf: asOf?.toISOString() ?? null }, 201);
	});
}

/**
 * @throws RepldockError `not_found`, `not_allowed` in the trash, `limit_reached`, `slug_taken`, `node_unreachable` when the
 *   files are only where they cannot be had now.
 */
async function forkProject(
	parts: ApiParts,
	user: User,
	originId: string,
	input: ForkProject,
): Promise<{ fork: StoredProject; asOf: Date | null }> {
	const { database } = parts;
	const { project: origin, rights } = await findVisible(parts, originId, user);
	if (origin.deletedAt) throw new RepldockError("not_allowed", "This project is in the trash. Restore it first.");
	await requireProjectsLeft(parts, user);
	const recorded = await findForkSource(
		database,
		originId,
		input.version === undefined ? undefined : readVersion(input.version),
	);
	if (input.version !== undefined && !recorded.checkpoint) {
		throw new RepldockError("not_found", "This version is not kept any more.");
	}
	const place = await choosePlace(parts, origin, recorded, input.version === undefined);
	const isDated = input.version === undefined && !place.copiesVolume && recorded.checkpoint !== null;
	const { source, asOf } = isDated ? await withLatest(parts, origin, recorded) : { source: recorded, asOf: null };
	const name = input.name ?? `Fork of ${origin.name}`.slice(0, projectNameMaxLength).trim();
	const fork = await insertUnderFreeSlug(parts, input.slug, slugFromName(name, origin.template), (slug) =>
		insertFork(database, {
			originId,
			ownerId: user.id,
			name,
			slug,
			template: origin.template,
			limits: parts.newProjectLimits,
			checkpoint: source.checkpoint,
			mayEditOrigin: rights === "edit",
			...place,
		}),
	);
	// It is there either way. But for an outage of nodes or store, a loss of the database does not take it away any more.
	if (place.nodeId !== null && recorded.hasFiles) await awaitOwnCheckpoint(database, fork.id, parts.forkPatienceMs);
	return { fork, asOf };
}

/**
 * What the origin is now, once its node has stored it.
 * @returns what is recorded instead, with its time, when the node does not answer or the store does not take it.
 */
async function withLatest(
	{ database, forkPatienceMs }: ApiParts,
	origin: StoredProject,
	recorded: ForkSource,
): Promise<{ source: ForkSource; asOf: Date | null }> {
	// No node has anything of it: the store has all.
	if (!origin.placement) return { source: recorded, asOf: null };
	const isLatest = origin.placement.nodeIsLive && (await awaitPresentState(database, origin.id, forkPatienceMs));
	const source = await findForkSource(database, origin.id, undefined);
	return { source, asOf: isLatest ? null : (source.checkpoint?.takenAt ?? null) };
}

/** On the origin's node its volume need only be copied. Elsewhere the object store must have it. */
async function choosePlace(
	{ database }: ApiParts,
	{ placement }: StoredProject,
	{ checkpoint, hasFiles }: { checkpoint: object | null; hasFiles: boolean },
	asItIs: boolean,
): Promise<{ nodeId: string | null; copiesVolume: boolean }> {
	const live = (await listNodes(database)).filter((node) => node.live);
	const near = live.find((node) => node.id === placement?.nodeId);
	if (near && hasFiles && (hasRoom(near) || !checkpoint)) return { nodeId: near.id, copiesVolume: asItIs };
	if (hasFiles && !checkpoint) {
		throw new RepldockError(
			"node_unreachable",
			"The server that holds the files of this project does not answer. Try again in a minute.",
		);
	}
	return { nodeId: (near && hasRoom(near) ? near : chooseNode(live))?.id ?? null, copiesVolume: false };
}

function readVersion(version: string): { generation: number; sequence: number } {
	const [generation = 0, sequence = 0] = version.split(".").map(Number);
	return { generation, sequence };
}
