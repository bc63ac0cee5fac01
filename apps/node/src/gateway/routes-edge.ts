import { personalTokenPattern, RepldockError, type WakeFailure } from "@repldock/protocol";
import { type Context, Hono } from "hono";
import { authorize } from "./authorize.ts";
import type { GatewayDependencies, GatewayEnvironment } from "./context.ts";
import { createSingleUse } from "./single-use.ts";
import { clockToleranceSeconds, type TicketVerifier } from "./ticket.ts";
import { signVisit, type VisitClaims, verifyVisit } from "./visit.ts";
import { createVisitorLimit } from "./visitor-limit.ts";

/** Who visits, as the edge tells the app. */
interface Visitor {
	readonly id: string;
	readonly name: string;
}

/** A person sees something happen by then; their browser asks again. */
const pageHeldMs = 3_000;

const strangersSentence = "It was asleep and could not be started again. Try again in a while, or tell its owner.";
const strangersSentences: Readonly<Record<string, string>> = {
	limit_reached: "It is asleep, and its owner's other projects take all the room that they may have. Try again later.",
	no_node: "It is asleep, and this server has no room to wake it now. Try again in a minute.",
};

/**
 * Questions of the edge; it lets nobody else ask them. About visitors of apps, the project's id is in
 * X-Repldock-Project, what the visitor showed in X-Repldock-Access; 204 means "may", and names the visitor.
 */
export function edgeRoutes(dependencies: GatewayDependencies, tickets: TicketVerifier): Hono<GatewayEnvironment> {
	const routes = new Hono<GatewayEnvironment>();
	const used = createSingleUse();
	const limit = createVisitorLimit();
	const underWay = new Map<string, Promise<Visitor | null>>();

	/** @throws RepldockError `not_allowed` when rights were taken away since, or the project is not here. */
	function requireCurrentVisit(claims: Pick<VisitClaims, "visit" | "rightsVersion">, projectId: string): void {
		const placement = dependencies.findPlacement(projectId);
		if (claims.visit !== projectId || !placement || claims.rightsVersion < placement.rightsVersion) {
			throw new RepldockError("not_allowed", "Your access to this app has ended. Open it from the project again.");
		}
	}

	/** Requests that come together with one token, as a program's first ones do, are one question to the site. */
	function visitorByToken(token: string, projectId: string, address: string): Promise<Visitor | null> {
		const key = `${projectId} ${token}`;
		const present = underWay.get(key);
		if (present) return present;
		const release = limit.enter(address);
		const asking = dependencies.visitorByToken({ token, projectId });
		underWay.set(key, asking);
		const done = (isAllowed: boolean) => {
			underWay.delete(key);
			release(isAllowed);
		};
		asking.then(
			(user) => done(user !== null),
			() => done(false),
		);
		return asking;
	}

	function allowed(context: Context<GatewayEnvironment>, projectId: string, visitor: Visitor, token?: string) {
		const roles = dependencies.findPlacement(projectId)?.owner.id === visitor.id ? "owner" : "";
		return context.body(null, 204, {
			"X-Repldock-User-Id": headerText(visitor.id),
			"X-Repldock-User-Name": headerText(visitor.name),
			"X-Repldock-User-Roles": roles,
			...(token === undefined ? {} : { "X-Repldock-Access": token }),
		});
	}

	/** Trades an access token for a visit token, which the edge hands out as a cookie. */
	routes.get("/enter", async (context) => {
		const { projectId, shown } = question(context);
		const { sub, name, rightsVersion } = await authorize(dependencies, shown, projectId);
		const visit = await signVisit(dependencies.accessSecret, { visit: projectId, sub, name, rightsVersion });
		return allowed(context, projectId, { id: sub, name }, visit);
	});

	/** The same for a visit ticket, by the browser that set out for it and on the host that it was made for. */
	routes.get("/visit", async (context) => {
		const { projectId, shown } = question(context);
		const claims = await tickets.visit(shown ?? "");
		const { sub, name, rightsVersion } = claims;
		const host = (context.req.header("X-Repldock-Host") ?? "").toLowerCase();
		const states = (context.req.header("X-Repldock-State") ?? "").split(",");
		if (claims.host !== host || !states.includes(claims.state)) {
			throw new RepldockError("invalid_ticket", "This link is for another browser or app. Open the app again.");
		}
		requireCurrentVisit(claims, projectId);
		if (!used.take(claims.jti, (claims.exp + clockToleranceSeconds) * 1000)) {
			throw new RepldockError("invalid_ticket", "This link was used already. Open the app again.");
		}
		const visit = await signVisit(dependencies.accessSecret, { visit: projectId, sub, name, rightsVersion });
		return allowed(context, projectId, { id: sub, name }, visit);
	});

	routes.get("/authorize", async (context) => {
		const { projectId, shown } = question(context);
		const claims = await verifyVisit(dependencies.accessSecret, shown ?? "");
		requireCurrentVisit(claims, projectId);
		return allowed(context, projectId, { id: claims.sub, name: claims.name });
	});

	/** A personal token of the site. */
	routes.get("/bearer", async (context) => {
		const { projectId, shown = "" } = question(context);
		if (!personalTokenPattern.test(shown)) throw refusedToken();
		const user = await visitorByToken(shown, projectId, context.req.header("X-Repldock-Visitor") ?? "");
		if (!user) throw refusedToken();
		return allowed(context, projectId, user);
	});

	/**
	 * Wakes a sleeping project for a visit: 204 when the routes say where it is, 202 while it is on its way, 409 with a
	 * WakeFailure. The edge has made sure that the visitor may see the app; what its program printed is for its owner.
	 */
	routes.get("/wake", async (context) => {
		const { projectId, shown } = question(context);
		const isPage = context.req.header("X-Repldock-Visitor") === "page";
		const outcome = await dependencies.wakes.wake(projectId, {
			port: Number(context.req.header("X-Repldock-Port")) || null,
			timeoutMs: isPage ? Math.min(pageHeldMs, dependencies.wakeTimeoutMs) : dependencies.wakeTimeoutMs,
		});
		if (outcome.kind !== "failed") return context.body(null, outcome.kind === "awake" ? 204 : 202);
		const { code } = outcome.failure;
		const told: WakeFailure = (await isOwner(projectId, shown))
			? outcome.failure
			: { code, detail: strangersSentences[code] ?? strangersSentence, exitCode: null, lines: [] };
		return context.json(told, 409);
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

	/** Asked before a visitor is told that a project does not exist: its slug is in X-Repldock-Slug. */
	routes.get("/route", async (context) => {
		const knowledge = await dependencies.lookUpSlug(context.req.header("X-Repldock-Slug") ?? "");
		if (knowledge === "unknown") throw new RepldockError("not_found", "No project of this node has this address.");
		if (knowledge === "unsure") throw new RepldockError("not_placed_here", "This node does not know its projects yet.");
		return context.body(null, 204);
	});

	return routes;
}

const refusedToken = () =>
	new RepldockError("not_allowed", "This token does not open the app. Its owner may not see the project.");

/** A name as a header can carry it: what is not printable ASCII, and `%`, percent-encoded as UTF-8. */
function headerText(text: string): string {
	return text.toWellFormed().replace(/[^ -$&-~]/gu, encodeURIComponent);
}

function question(context: Context<GatewayEnvironment>): { projectId: string; shown: string | undefined } {
	const projectId = context.req.header("X-Repldock-Project") ?? "";
	return { projectId, shown: context.req.header("X-Repldock-Access") };
}
