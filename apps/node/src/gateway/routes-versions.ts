import { RepldockError, RestoreVersion, SaveVersion, VersionId } from "@repldock/protocol";
import { type Context, Hono } from "hono";
import { readerOf, requireEdit } from "./authorize.ts";
import type { GatewayDependencies, GatewayEnvironment } from "./context.ts";
import { readJson } from "./request-body.ts";
import { entriesListed, pathOf } from "./routes-files.ts";
import { sendFile } from "./send-file.ts";

/** A project's versions under `/projects/<projectId>/versions`; see `@repldock/protocol`'s versions.ts. */
export function versionRoutes({ versions }: GatewayDependencies): Hono<GatewayEnvironment> {
	const routes = new Hono<GatewayEnvironment>();

	const open = ({ req, var: { claims } }: Context<GatewayEnvironment>) =>
		versions.open(claims.projectId, parseVersion(req.param("version")), readerOf(claims));

	routes.post("/", async (context) => {
		const { claims } = context.var;
		requireEdit(claims);
		const { name } = await readJson(context.env.incoming, SaveVersion);
		return context.json(await versions.save(claims.projectId, name));
	});

	routes.get("/:version/files", async (context) => {
		const path = pathOf(context);
		const { files, release } = await open(context);
		try {
			return context.json(await files.list(path, entriesListed));
		} finally {
			release();
		}
	});

	routes.get("/:version/content", async (context) => {
		const path = pathOf(context);
		const { files, release } = await open(context);
		try {
			const file = await files.openFile(path);
			return await sendFile(context, file, context.req.query("download") === "1", release);
		} catch (error) {
			release();
			throw error;
		}
	});

	routes.get("/:version/changes", async (context) => {
		const { claims } = context.var;
		const versionId = parseVersion(context.req.param("version"));
		return context.json(await versions.changes(claims.projectId, versionId, readerOf(claims)));
	});

	routes.post("/:version/restore", async (context) => {
		const { claims } = context.var;
		requireEdit(claims);
		const versionId = parseVersion(context.req.param("version"));
		const { path } = await readJson(context.env.incoming, RestoreVersion);
		return context.json(await versions.restore(claims.projectId, versionId, readerOf(claims), path));
	});

	return routes;
}

/** @throws RepldockError `not_found` */
function parseVersion(text: string | undefined): VersionId {
	const parsed = VersionId.safeParse(text);
	if (!parsed.success) throw new RepldockError("not_found", "This is not the name of a version.");
	return parsed.data;
}
