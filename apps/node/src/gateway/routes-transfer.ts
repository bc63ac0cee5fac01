import { Readable } from "node:stream";
import { ExportRequest, ImportGit, ImportTarget, parseInput, RepldockError, UnpackFile } from "@repldock/protocol";
import { Hono } from "hono";
import { readerOf, requireEdit } from "./authorize.ts";
import { downloadHeaders } from "./content-type.ts";
import type { GatewayDependencies, GatewayEnvironment } from "./context.ts";
import { openBody, readJson } from "./request-body.ts";

/** Archives out and in, under `/projects/<projectId>`. */
export function transferRoutes({ exports, imports }: GatewayDependencies): Hono<GatewayEnvironment> {
	const routes = new Hono<GatewayEnvironment>();

	routes.post("/export", async (context) => {
		const request = await readJson(context.env.incoming, ExportRequest);
		return context.json(await exports.prepare(context.var.claims.projectId, request, readerOf(context.var.claims)));
	});

	routes.post("/import", async (context) => {
		const { claims } = context.var;
		requireEdit(claims);
		const target = parseInput(ImportTarget, context.req.query());
		return context.json(await imports.archive(claims.projectId, openBody(context.env.incoming), target));
	});

	routes.post("/import/git", async (context) => {
		const { claims } = context.var;
		requireEdit(claims);
		const { url, history, target } = await readJson(context.env.incoming, ImportGit);
		return context.json(await imports.git(claims.projectId, { url, history }, target));
	});

	routes.post("/import/unpack", async (context) => {
		const { claims } = context.var;
		requireEdit(claims);
		const { path } = await readJson(context.env.incoming, UnpackFile);
		return context.json(await imports.unpack(claims.projectId, path));
	});

	return routes;
}

/** The archives themselves: whoever has the address may fetch it, once. */
export function exportRoutes({ exports }: GatewayDependencies): Hono<GatewayEnvironment> {
	const routes = new Hono<GatewayEnvironment>();

	routes.get("/:key", (context) => {
		if (context.req.method !== "GET") throw new RepldockError("not_found", "An archive can be fetched only.");
		const { name, contentType, content } = exports.fetch(context.req.param("key"));
		return new Response(Readable.toWeb(content) as unknown as ReadableStream, {
			headers: { ...downloadHeaders(name, true), "Content-Type": contentType, "Cache-Control": "no-store" },
		});
	});

	return routes;
}
