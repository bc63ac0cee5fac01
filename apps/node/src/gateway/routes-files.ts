import { CreateDirectory, documentMaxBytes, MoveFile, ProjectPath, parseInput } from "@repldock/protocol";
import { type Context, Hono } from "hono";
import type { Workspace } from "../workspace/workspace.ts";
import { requireEdit } from "./authorize.ts";
import type { GatewayDependencies, GatewayEnvironment } from "./context.ts";
import { openBody, readJson } from "./request-body.ts";
import { sendFile } from "./send-file.ts";

/** Largest upload over what the project's quota leaves: the quota itself decides. */
const uploadSlackBytes = documentMaxBytes;

/** Entries of one directory that are told; more would freeze the page's tree. */
export const entriesListed = 5_000;

/** Files under `/projects/<projectId>/files`. */
export function fileRoutes(dependencies: GatewayDependencies): Hono<GatewayEnvironment> {
	const routes = new Hono<GatewayEnvironment>();
	const workspaceOf = (context: Context<GatewayEnvironment>): Promise<Workspace> =>
		dependencies.workspaces.open(context.var.claims.projectId);

	routes.get("/", async (context) => {
		const path = pathOf(context);
		return context.json(await (await workspaceOf(context)).files.list(path, entriesListed));
	});

	routes.get("/content", async (context) => {
		const path = pathOf(context);
		const file = await (await workspaceOf(context)).files.openFile(path);
		return sendFile(context, file, context.req.query("download") === "1");
	});

	routes.put("/content", async (context) => {
		requireEdit(context.var.claims);
		const path = pathOf(context);
		const workspace = await workspaceOf(context);
		const entry = await workspace.files.receive(path, openBody(context.env.incoming), {
			overwrite: context.req.query("overwrite") !== "0",
			maxBytes: workspace.state().disk.limitBytes + uploadSlackBytes,
		});
		workspace.filesWritten();
		return context.json(entry);
	});

	routes.post("/directory", async (context) => {
		requireEdit(context.var.claims);
		const { path } = await readJson(context.env.incoming, CreateDirectory);
		const workspace = await workspaceOf(context);
		const entry = await workspace.files.makeDirectory(path);
		workspace.filesWritten();
		return context.json(entry);
	});

	routes.post("/move", async (context) => {
		requireEdit(context.var.claims);
		const { from, to } = await readJson(context.env.incoming, MoveFile);
		const { documents, files } = await workspaceOf(context);
		return context.json(await documents.withMove(from, to, () => files.move(from, to)));
	});

	routes.delete("/", async (context) => {
		requireEdit(context.var.claims);
		const path = pathOf(context);
		const workspace = await workspaceOf(context);
		await workspace.documents.withRemove(path, () => workspace.files.remove(path));
		workspace.filesWritten(true);
		return context.body(null, 204);
	});

	return routes;
}

export function pathOf(context: Context<GatewayEnvironment>): string {
	return parseInput(ProjectPath, context.req.query("path") ?? "");
}
