import { type AccessClaims, isDeparting, RepldockError, type TicketClaims } from "@repldock/protocol";
import type { Reader } from "../versions/shelf.ts";
import { verifyAccess } from "./access.ts";
import type { GatewayDependencies } from "./context.ts";

/** Time that a placement may come later than the ticket which speaks of it. */
const placementTimeoutMs = 10_000;

/**
 * Verifies that the token lets its bearer reach this project now.
 * @throws RepldockError `invalid_ticket`, `not_placed_here`.
 */
export async function authorize(
	dependencies: GatewayDependencies,
	token: string | undefined,
	projectId: string,
): Promise<AccessClaims> {
	if (token === undefined)
		throw new RepldockError("invalid_ticket", "Your access to this project is missing. Reload the page.");
	const claims = await verifyAccess(dependencies.accessSecret, token);
	if (claims.projectId !== projectId) {
		throw new RepldockError("invalid_ticket", "Your access is for another project. Reload the page.");
	}
	requireCurrent(dependencies, claims);
	return claims;
}

/** Whether rights still stand as the site last told them. @throws RepldockError `invalid_ticket`, `not_placed_here`. */
export function requireCurrent(dependencies: GatewayDependencies, claims: AccessClaims): void {
	const placement = dependencies.findPlacement(claims.projectId);
	if (!placement || isDeparting(placement)) {
		throw new RepldockError("not_placed_here", "This project is not on this server. Reload the page to find it.");
	}
	if (claims.rightsVersion < placement.rightsVersion || claims.exp * 1000 <= Date.now()) {
		throw new RepldockError("invalid_ticket", "Your access to this project has ended. Reload the page.");
	}
}

/** Waits until the placement that a ticket speaks of is here, and checks the ticket against it. */
export async function requirePlacement(dependencies: GatewayDependencies, claims: TicketClaims): Promise<void> {
	await dependencies.waitForPlacement(claims.projectId, claims.wantVersion, placementTimeoutMs);
	requireCurrent(dependencies, claims);
}

/** Who looks at a version. */
export function readerOf({ sub, rights }: AccessClaims): Reader {
	return { id: sub, mayEdit: rights === "edit" };
}

/** @throws RepldockError `not_allowed` */
export function requireEdit(claims: AccessClaims): void {
	if (claims.rights !== "edit") {
		throw new RepldockError("not_allowed", "You may look at this project but not change it. Ask its owner.");
	}
}
