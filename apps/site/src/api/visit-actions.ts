import { VisitHost, VisitState, VisitTarget } from "@repldock/protocol";
import { z } from "zod";
import { enterUrl } from "../domain/address.ts";
import { rightsOn } from "../domain/rights.ts";
import { findProjectByHost } from "../store/hosts.ts";
import type { User } from "../store/users.ts";
import type { ApiParts } from "./context.ts";

/** A browser that an app's host sent here: which host, where to go on to there, and what it will be known by. */
export const VisitRequest = z.object({ host: VisitHost, to: VisitTarget, state: VisitState });
export type VisitRequest = z.infer<typeof VisitRequest>;

/** What becomes of a visit. */
export type VisitOutcome =
	/** The app is the person's own: the browser may go straight on. */
	| { readonly kind: "enter"; readonly url: string }
	/** The app is somebody else's and would learn who the person is: they are asked first. */
	| { readonly kind: "ask"; readonly url: string; readonly host: string; readonly ownerName: string }
	| { readonly kind: "sign_in" }
	/** No such app, or one that the person may not see; which of the two is not for them to know. */
	| { readonly kind: "refused"; readonly host: string };

type VisitParts = Pick<ApiParts, "database" | "ticketSigner" | "apps">;

/** Decides on a visit, and signs the ticket that goes with it. Tickets lead to hosts of this instance's apps alone. */
export async function decideVisit(parts: VisitParts, request: VisitRequest, user: User | null): Promise<VisitOutcome> {
	const { host, to, state } = request;
	// Strangers are asked to sign in whatever the host is, so that they cannot try out which private apps there are.
	if (!user) return { kind: "sign_in" };
	const project = await findProjectByHost(parts.database, parts.apps, host);
	if (!project || project.deletedAt || !rightsOn(project, user)) return { kind: "refused", host };
	const { id: projectId, rightsVersion, ownerId, ownerName } = project;
	const ticket = await parts.ticketSigner.signVisit({ user, projectId, host, state, rightsVersion });
	const url = enterUrl(parts.apps, host, ticket, to);
	return ownerId === user.id ? { kind: "enter", url } : { kind: "ask", url, host, ownerName };
}
