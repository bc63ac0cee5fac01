import type { HttpBindings } from "@hono/node-server";
import type { AccessClaims, DesiredPlacement, TicketKey, VisitAnswer, VisitQuestion } from "@repldock/protocol";
import type { Logger, Metric } from "@repldock/service";
import type { RequestLog } from "../requests/request-log.ts";
import type { SlugKnowledge } from "../routes.ts";
import type { Wakes } from "../sleep/wakes.ts";
import type { Traffic } from "../traffic/traffic.ts";
import type { Exports } from "../transfer/exports.ts";
import type { Imports } from "../transfer/imports.ts";
import type { Versions } from "../versions/versions.ts";
import type { Runner } from "../workspace/runner.ts";
import type { Workspaces } from "../workspace/workspaces.ts";

/** What the gateway asks of the other parts of the agent. */
export interface GatewayDependencies {
	log: Logger;
	/** Secret of access tokens; see `readAccessSecret`. */
	accessSecret: Uint8Array;
	/** This node's id as the site told it; null before the first welcome. */
	nodeId(): string | null;
	/** Keys that tickets are verified with. */
	ticketKeys(): readonly TicketKey[];
	/** Origins whose pages may call. */
	siteOrigins(): readonly string[];
	findPlacement(projectId: string): DesiredPlacement | undefined;
	/** @throws RepldockError `not_placed_here` after the time. */
	waitForPlacement(projectId: string, wantVersion: number, timeoutMs: number): Promise<DesiredPlacement>;
	/**
	 * Asks the site whose personal token this is; null when it is nobody's or its owner may not see the project.
	 * @throws RepldockError `node_unreachable` when the site does not answer, `too_many_requests` when it is asked too much.
	 */
	visitorByToken(question: VisitQuestion): Promise<VisitAnswer["user"]>;
	/** What is known of a slug that the edge has no route for. */
	lookUpSlug(slug: string): Promise<SlugKnowledge>;
	workspaces: Workspaces;
	runner: Runner;
	wakes: Pick<Wakes, "wake">;
	/** How long a program's request to a sleeping project is held. */
	wakeTimeoutMs: number;
	requests: RequestLog;
	traffic: Pick<Traffic, "follow" | "metrics">;
	/** What the other parts of the node tell of themselves; see `routes-metrics.ts`. */
	metrics(): Promise<Metric[]>;
	metricsToken: string | undefined;
	exports: Exports;
	imports: Imports;
	versions: Versions;
}

/** Hono's types of this application: Node's request and what the access check found. */
export interface GatewayEnvironment {
	Bindings: HttpBindings;
	Variables: { claims: AccessClaims };
}
