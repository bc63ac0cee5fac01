import { createRoute, z } from "@hono/zod-openapi";
import * as protocol from "@repldock/protocol";
import { ChangeVersion, RepldockError, VersionId } from "@repldock/protocol";
import { listVersions, nameVersion, type VersionPlace } from "../store/versions.ts";
import type { ApiParts } from "./context.ts";
import { routeGroup } from "./group.ts";
import { requireUser } from "./identity.ts";
import { findVisible } from "./project-actions.ts";
import { answers, IdParameter, jsonBody } from "./schemas.ts";

const tags = ["Versions"];
const Version = z.object(protocol.Version.shape).openapi("Version");
const VersionList = z.object({ versions: z.array(Version), next: VersionId.nullable() });

const listRoute = createRoute({
	method: "get",
	path: "/projects/{id}/versions",
	tags,
	summary: "A project's versions, the newest first",
	description:
		"Those of public projects need no sign-in. Their files are on the project's node: `GET /versions/<version>/files?path=`, " +
		"`/content?path=` and `/changes` under its gateway's address; `POST /versions` there saves one, and " +
		"`POST /versions/<version>/restore` brings it back.",
	security: [{}, { session: [] }, { token: [] }],
	request: {
		params: IdParameter,
		query: z.object({
			before: VersionId.optional().openapi({ description: "`next` of the page before." }),
			named: z.enum(["0", "1"]).default("0").openapi({ description: "`1` lists those that have a name." }),
			limit: z.coerce.number().int().min(1).max(100).default(50),
		}),
	},
	responses: answers(VersionList, "A page of versions; `next` is `before` of the following one, null on the last."),
});

const changeRoute = createRoute({
	method: "patch",
	path: "/projects/{id}/versions/{version}",
	tags,
	summary: "Name a version, or take its name away",
	description: "Versions with a name are kept; the others are thinned out as they grow old.",
	request: { params: IdParameter.extend({ version: VersionId }), ...jsonBody(ChangeVersion) },
	responses: answers(Version, "The version after the change."),
});

export function versionRoutes(parts: ApiParts) {
	const { database } = parts;
	return routeGroup()
		.openapi(listRoute, async (context) => {
			const { id } = context.req.valid("param");
			const { before, named, limit } = context.req.valid("query");
			await findVisible(parts, id, context.get("user"));
			const place = before === undefined ? undefined : placeOf(before);
			// One more than is shown tells whether there is another page.
			const found = await listVersions(database, id, { before: place, named: named === "1", limit: limit + 1 });
			const versions = found.slice(0, limit);
			const last = found.length > limit ? versions.at(-1) : undefined;
			return context.json({ versions, next: last?.id ?? null }, 200);
		})
		.openapi(changeRoute, async (context) => {
			const { id, version } = context.req.valid("param");
			const { project } = await findVisible(parts, id, requireUser(context), "edit");
			if (project.deletedAt) throw new RepldockError("not_allowed", "This project is in the trash. Restore it first.");
			const changed = await nameVersion(database, id, placeOf(version), context.req.valid("json").name);
			if (!changed) throw new RepldockError("not_found", "There is no such version (any more).");
			return context.json(changed, 200);
		});
}

function placeOf(version: VersionId): VersionPlace {
	const [generation, sequence] = version.split(".").map(Number) as [number, number];
	return { generation, sequence };
}
