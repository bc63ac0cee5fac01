import type { Limits, Template } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { Context } from "hono";
import type { Auth } from "../auth/auth.ts";
import type { TicketSigner } from "../auth/tickets.ts";
import type { Resolver } from "../dns/resolver.ts";
import type { AppsAddress } from "../domain/address.ts";
import type { Database } from "../store/database.ts";
import type { User } from "../store/users.ts";

/** What the routes work with. */
export interface ApiParts {
	readonly database: Database;
	readonly auth: Auth;
	readonly ticketSigner: TicketSigner;
	readonly templates: readonly Template[];
	readonly newProjectLimits: Limits;
	readonly projectsPerUser: number;
	readonly runningPerUser: number;
	/** How long a node is silent before its projects may open on another. */
	readonly nodeGoneAfterMs: number;
	/** How long a fork waits for nodes to store what it needs. */
	readonly forkPatienceMs: number;
	readonly trashTimeMs: number;
	readonly domainsPerProject: number;
	readonly domainGraceMs: number;
	readonly resolver: Resolver;
	readonly apps: AppsAddress;
	readonly siteUrl: string;
	readonly log: Logger;
}

/** What the middleware leaves for the routes: who asks, null when nobody is signed in. */
export type ApiEnvironment = { Variables: { user: User | null } };
export type ApiContext = Context<ApiEnvironment>;
