import { OpenAPIHono } from "@hono/zod-openapi";
import { RepldockError, toProblem } from "@repldock/protocol";
import { bodyLimit } from "hono/body-limit";
import { authBasePath } from "../auth/auth.ts";
import { accountRoutes } from "./account.ts";
import { administrationRoutes } from "./administration.ts";
import { alwaysOnRoutes } from "./always-on.ts";
import { authRoutes } from "./auth-routes.ts";
import type { ApiEnvironment, ApiParts } from "./context.ts";
import { openApiDocument } from "./document.ts";
import { domainRoutes } from "./domains.ts";
import { forkRoutes } from "./forks.ts";
import { identity, sameOrigin } from "./identity.ts";
import { networkRoutes } from "./network.ts";
import { answerError, problemResponse } from "./problems.ts";
import { projectRoutes } from "./projects.ts";
import { templateRoutes } from "./templates.ts";
import { trafficRoutes } from "./traffic.ts";
import { versionRoutes } from "./versions.ts";
import { visitRoutes } from "./visits.ts";
import { welcomeRoutes } from "./welcome.ts";
import { workspaceRoutes } from "./workspace.ts";

/** No request of the API carries files; those go to the nodes. */
const bodyMaxBytes = 64 * 1024;

/** Everything under `/api/` but the nodes' control socket. */
export function createApi(parts: ApiParts) {
	const app = new OpenAPIHono<ApiEnvironment>();
	app.onError((error, context) => answerError(error, context, parts.log));
	app.notFound(() => problemResponse(toProblem(new RepldockError("not_found", "There is nothing at this address."))));

	app.use("/api/*", async (context, next) => {
		await next();
		context.header("cache-control", "no-store");
	});
	app.use(
		"/api/*",
		bodyLimit({
			maxSize: bodyMaxBytes,
			onError: () => {
				throw new RepldockError("invalid_input", `A request may have at most ${bodyMaxBytes} bytes.`);
			},
		}),
	);
	app.use("/api/*", sameOrigin(parts.siteUrl));
	app.route(authBasePath, authRoutes(parts.auth));

	const version1 = new OpenAPIHono<ApiEnvironment>();
	version1.use("*", identity(parts.auth, parts.database));
	const groups = [
		accountRoutes(parts),
		welcomeRoutes(parts),
		templateRoutes(parts),
		projectRoutes(parts),
		forkRoutes(parts),
		domainRoutes(parts),
		networkRoutes(parts),
		workspaceRoutes(parts),
		visitRoutes(parts),
		administrationRoutes(parts),
		alwaysOnRoutes(parts),
		trafficRoutes(parts),
		versionRoutes(parts),
	];
	for (const group of groups) version1.route("/", group);
	app.route("/api/v1", version1);

	app.openAPIRegistry.registerComponent("securitySchemes", "session", {
		type: "apiKey",
		in: "cookie",
		name: "repldock.session_token",
		description: "Set by signing in. Requests that change something must also carry the site's own `Origin`.",
	});
	app.openAPIRegistry.registerComponent("securitySchemes", "token", {
		type: "http",
		scheme: "bearer",
		description: "A personal token, `rd_…`.",
	});
	app.doc31("/api/openapi.json", openApiDocument(parts.siteUrl));
	return app;
}
