import { z } from "zod";
import { ProjectId, UserId } from "./project.ts";
import { ticketIssuer } from "./ticket.ts";

/**
 * Visits: how a person who is signed in at the site becomes known at an app's host name.
 *   app's host → GET <site>/visit?host=…&to=…&state=…        the edge sends a browser there
 *   site       → GET <app's host>/_repldock/enter?ticket=…&to=…   with a visit ticket; the edge trades it for a cookie
 */
export const visitPath = "/visit";

/** A host name as a browser sends it: small letters, a port where it is not the scheme's own. */
export const VisitHost = z.string().regex(/^[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?(?::[1-9]\d{0,4})?$/);

/** What the edge keeps in a cookie of the app's host and the site hands back in the ticket. */
export const VisitState = z.string().regex(/^[A-Za-z0-9_-]{16,64}$/);

/** Where an app's host sends a visitor back to: a path, with its query. */
export const VisitTarget = z.string().max(2048).startsWith("/");

/** Seconds within which a visit ticket must be used. */
export const visitTicketLifetimeSeconds = 60;

/** Audience of visit tickets. Those of workspaces name a node, so neither is ever taken for the other. */
export const visitTicketAudience = "repldock-visit";

/** Claims of a visit ticket: an EdDSA (Ed25519) JWT that the site signs and the app's node verifies offline. */
export const VisitTicketClaims = z.object({
	iss: z.literal(ticketIssuer),
	aud: z.literal(visitTicketAudience),
	/** Names the ticket, which is used once. */
	jti: z.string().min(1).max(64),
	sub: UserId,
	name: z.string(),
	visit: ProjectId,
	host: VisitHost,
	/** Binds the ticket to the browser that set out for it. */
	state: VisitState,
	rightsVersion: z.int(),
	iat: z.int(),
	exp: z.int(),
});
export type VisitTicketClaims = z.infer<typeof VisitTicketClaims>;

/** Form of the site's personal tokens: `rd_` and 32 random bytes in base64url. */
export const personalTokenPattern = /^rd_[A-Za-z0-9_-]{43}$/;

/**
 * `POST <site>/api/node/visits`, `Authorization: Bearer <node token>`: may the bearer of a personal token visit this
 * project? `user` is null when the token is nobody's, or when its owner may not.
 */
export const visitsPath = "/api/node/visits";
export const VisitQuestion = z.object({ token: z.string().regex(personalTokenPattern), projectId: ProjectId });
export type VisitQuestion = z.infer<typeof VisitQuestion>;
export const VisitAnswer = z.object({ user: z.object({ id: UserId, name: z.string() }).nullable() });
export type VisitAnswer = z.infer<typeof VisitAnswer>;
