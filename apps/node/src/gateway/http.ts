import { type AccessGrant, AccessRequest, RepldockError, toProblem } from "@repldock/protocol";
import { Hono } from "hono";
import { cors } from "hono/cors";
import { signAccess } from "./access.ts";
import { authorize, requirePlacement } from "./authorize.ts";
import type { GatewayDependencies, GatewayEnvironment } from "./context.ts";
import { problemResponse, withoutMessage } from "./problems.ts";
import { readJson } from "./request-body.ts";
import { edgeRoutes } from "./routes-edge.ts";
import { fileRoutes } from "./routes-files.ts";
import { metricsRoutes } from "./routes-metrics.ts";
import { programRoutes } from "./routes-programs.ts";
import { requestRoutes } from "./routes-requests.ts";
import { exportRoutes, transferRoutes } from "./routes-transfer.ts";
import { versionRoutes } from "./routes-versions.ts";
import { createTicketVerifier } from "./ticket.ts";

const accessLifetimeSeconds = 12 * 60 * 60;
const preflightCachedSeconds = 600;

/** Everything that browsers ask by HTTP; see the table in `@repldock/protocol`'s workspace.ts. */
export function createHttp(dependencies: GatewayDependencies): Hono<GatewayEnvironment> {
	const { log } = dependencies;
	const app = new Hono<GatewayEnvironment>();
	const tickets = createTicketVerifier({ nodeId: dependencies.nodeId, keys: dependencies.ticketKeys });

	app.get("/healthz", (context) => context.text("ok"));

	app.use(
		cors({
			origin: (origin) => (dependencies.siteOrigins().includes(origin) ? origin : null),
			allowMethods: ["GET", "HEAD", "PUT", "POST", "DELETE"],
			allowHeaders: ["Authorization", "Content-Type", "Range", "If-Range"],
			exposeHeaders: ["Accept-Ranges", "Content-Disposition", "Content-Range", "ETag"],
			maxAge: preflightCachedSeconds,
		}),
	);

	app.post("/access", async (context) => {
		const { ticket } = await readJson(context.env.incoming, AccessRequest);
		const {
			iss: _issuer,
			aud: _audience,
			iat: _issuedAt,
			exp: _expiry,
			wantVersion: _want,
			...claims
		} = await verified(ticket);
		const access = await signAccess(dependencies.accessSecret, claims, accessLifetimeSeconds);
		const grant: AccessGrant = { ...access, projectId: claims.projectId, rights: claims.rights };
		return context.json(grant, 200, { "Cache-Control": "no-store" });
	});

	async function verified(ticket: string) {
		const claims = await tickets.workspace(ticket);
		await requirePlacement(dependencies, claims);
		return claims;
	}

	app.use("/projects/:projectId/*", async (context, next) => {
		const token = /^Bearer ([^\s]+)$/.exec(context.req.header("Authorization") ?? "")?.[1];
		context.set("claims", await authorize(dependencies, token, context.req.param("projectId")));
		await next();
		if (!context.res.headers.has("Cache-Control")) context.header("Cache-Control", "no-store");
	});

	app.route("/projects/:projectId/files", fileRoutes(dependencies));
	app.route("/projects/:projectId/requests", requestRoutes(dependencies));
	app.route("/projects/:projectId/versions", versionRoutes(dependencies));
	app.route("/projects/:projectId", transferRoutes(dependencies));
	app.route("/projects/:projectId", programRoutes(dependencies));
	app.route("/exports", exportRoutes(dependencies));

	app.route("/metrics", metricsRoutes(dependencies));
	app.route("/edge", edgeRoutes(dependencies, tickets));

	app.notFound(() => problemResponse(new RepldockError("not_found", "There is nothing at this address.")));

	app.onError((error, context) => {
		if (toProblem(error).code === "internal") {
			// No path and no message: both would carry names of people's files into the log.
			log.error({ error: withoutMessage(error), method: context.req.method }, "a request failed");
		}
		const response = problemResponse(error);
		const allowed = context.res.headers.get("Access-Control-Allow-Origin");
		if (allowed) response.headers.set("Access-Control-Allow-Origin", allowed);
		return response;
	});

	return app;
}
