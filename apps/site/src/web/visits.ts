import type { IncomingMessage, ServerResponse } from "node:http";
import { sessionUser } from "../api/identity.ts";
import { decideVisit, VisitRequest } from "../api/visit-actions.ts";
import type { Auth } from "../auth/auth.ts";
import type { TicketSigner } from "../auth/tickets.ts";
import type { AppsAddress } from "../domain/address.ts";
import type { VisitPage } from "../locals.ts";
import type { Database } from "../store/database.ts";

export interface VisitParts {
	readonly database: Database;
	readonly auth: Auth;
	readonly ticketSigner: TicketSigner;
	readonly apps: AppsAddress;
}

/**
 * `GET /visit`: sends the browser on where it can be, and otherwise says what the page is to show.
 * @returns undefined when the request was answered.
 */
export type AnswerVisit = (request: IncomingMessage, response: ServerResponse) => Promise<VisitPage | undefined>;

export function createVisits(parts: VisitParts): AnswerVisit {
	return async (request, response) => {
		// Addresses here and those gone on to hold tickets or what is as good as one.
		response.setHeader("referrer-policy", "no-referrer");
		response.setHeader("cache-control", "no-store");
		const { searchParams, pathname, search } = new URL(request.url ?? "/", "http://site.invalid");
		const wanted = VisitRequest.safeParse(Object.fromEntries(searchParams));
		if (!wanted.success) return { kind: "refused", host: null };
		const { cookie } = request.headers;
		const { user, cookies } =
			cookie === undefined
				? { user: null, cookies: [] }
				: await sessionUser(parts.auth, new Headers({ cookie }), { fresh: true });
		const outcome = await decideVisit(parts, wanted.data, user);
		if (outcome.kind === "refused") return outcome;
		if (outcome.kind === "ask") {
			const { host, ownerName } = outcome;
			return { kind: "ask", host, ownerName, request: wanted.data };
		}
		for (const header of cookies) response.appendHeader("set-cookie", header);
		const next = `/sign-in?${new URLSearchParams({ next: pathname + search })}`;
		response.writeHead(302, { location: outcome.kind === "enter" ? outcome.url : next }).end();
		return undefined;
	};
}
