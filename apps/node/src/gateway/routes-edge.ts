import { RepldockError, type WakeFailure } from "@repldock/protocol";
import { type Context, Hono } from "hono";
import { authorize } from "./authorize.ts";
import type { GatewayDependencies, GatewayEnvironment } from "./context.ts";
import { signVisit, verifyVisit } from "./visit.ts";

/** A person sees something happen by then; their browser asks again. */
const pageHeldMs = 3_000;

const strangersSentence = "It was asleep and could not be started again. Try again in a while, or tell its owner.";

/**
 * Questions of the edge about visitors of private apps; the edge lets nobody else ask them. The project's id is in
 * X-Repldock-Project, the visitor's token in X-Repldock-Access; 204 means "may".
 */
export function edgeRoutes(dependencies: GatewayDependencies): Hono<GatewayEnvironment> {
	const routes = new Hono<GatewayEnvironment>();

	/** Trades an access token for a visit token, which the edge hands out as a cookie. */
	routes.get("/enter", async (context) => {
		const { projectId, token } = question(context);
		const { sub, rightsVersion } = await authorize(dependencies, token, projectId);
		const visit = await signVisit(dependencies.accessSecret, { visit: projectId, sub, rightsVersion });
		return context.body(null, 204, { "X-Repldock-Access": visit });
	});

	routes.get("/authorize", async (context) => {
		const { projectId, token } = question(context);
		const claims = await verifyVisit(dependencies.accessSecret, token ?? "");
		const placement = dependencies.findPlacement(projectId);
		if (claims.visit !== projectId || !placement || claims.rightsVersion < placement.rightsVersion) {
			throw new RepldockError("not_allowed", "Your access to this app has ended. Open it from the project again.");
		}
		return context.body(null, 204);
	});

	/**
	 * Wakes a sleeping project for a visit: 204 when the routes say where it is, 202 while it is on its way, 409 with a
	 * WakeFailure. The edge has made sure that the visitor may see the app; what its program printed is for its owner.
	 */
	routes.get("/wake", async (context) => {
		const { projectId, token } = question(context);
		const isPage = context.req.header("X-Repldock-Visitor") === "page";
		const outcome = await dependencies.wakes.wake(projectId, {
			port: Number(context.req.header("X-Repldock-Port")) || null,
			timeoutMs: isPage ? Math.min(pageHeldMs, dependencies.wakeTimeoutMs) : dependencies.wakeTimeoutMs,
		});
		if (outcome.kind !== "failed") return context.body(null, outcome.kind === "awake" ? 204 : 202);
		const { code } = outcome.failure;
		const shown: WakeFailure = (await isOwner(projectId, token))
			? outcome.failure
			: { code, detail: strangersSentence, exitCode: null, lines: [] };
		return context.json(shown, 409);
	});

	/** Whether one of the visit tokens, with commas between them, is the owner's. */
	async function isOwner(projectId: string, tokens: string | undefined): Promise<boolean> {
		const placement = dependencies.findPlacement(projectId);
		for (const token of tokens?.split(",") ?? []) {
			const claims = await verifyVisit(dependencies.accessSecret, token).catch(() => undefined);
			if (!placement || claims?.visit !== projectId || claims.rightsVersion < placement.rightsVersion) continue;
			if (claims.sub === placement.owner.id) return true;
		}
		return false;
	}

	return routes;
}

function question(context: Context<GatewayEnvironment>): { projectId: string; token: string | undefined } {
	const projectId = context.req.header("X-Repldock-Project") ?? "";
	return { projectId, token: context.req.header("X-Repldock-Access") };
}
