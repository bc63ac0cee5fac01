import { z } from "zod";
import { NodeId, ProjectId, UserId } from "./project.ts";

/** `view` sees files, documents and output; `edit` also changes files, runs programs and types into terminals. */
export const Rights = z.enum(["view", "edit"]);
export type Rights = z.infer<typeof Rights>;

/** Seconds within which a ticket must be used. */
export const ticketLifetimeSeconds = 60;
export const ticketIssuer = "repldock";

/**
 * Claims of a ticket: an EdDSA (Ed25519) JWT that the site signs and the node verifies offline. The audience is the
 * node's id, so that one node cannot use at another what it was shown.
 */
export const TicketClaims = z.object({
	iss: z.literal(ticketIssuer),
	aud: NodeId,
	sub: UserId,
	name: z.string(),
	projectId: ProjectId,
	rights: Rights,
	/** Rises when rights are taken away; a node refuses lower ones than its placement names. */
	rightsVersion: z.int(),
	/** The want that came with it: the node lets its bearer in once it has heard of that or a later one. */
	wantVersion: z.int(),
	iat: z.int(),
	exp: z.int(),
});
export type TicketClaims = z.infer<typeof TicketClaims>;

/** What the site answers to a person who opens a project: the ticket and where to use it. */
export const TicketGrant = z.object({ ticket: z.string(), gatewayUrl: z.string(), rights: Rights });
export type TicketGrant = z.infer<typeof TicketGrant>;

/** `POST <gateway>/access`: a ticket is exchanged once for an access token of the node's own. */
export const AccessRequest = z.object({ ticket: z.string().max(4096) });
export const AccessGrant = z.object({
	token: z.string(),
	projectId: ProjectId,
	rights: Rights,
	/** ISO 8601; the browser fetches a new ticket before then. */
	expiresAt: z.string(),
});
export type AccessGrant = z.infer<typeof AccessGrant>;

/** Claims of an access token: an HS256 JWT under a secret that never leaves the node. Same meaning as the ticket's. */
export const AccessClaims = TicketClaims.omit({ iss: true, aud: true, wantVersion: true });
export type AccessClaims = z.infer<typeof AccessClaims>;
