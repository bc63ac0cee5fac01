import {
	RepldockError,
	TicketClaims,
	type TicketKey,
	ticketIssuer,
	VisitTicketClaims,
	visitTicketAudience,
} from "@repldock/protocol";
import { type CryptoKey, importJWK, type JWTPayload, jwtVerify } from "jose";

/** Clocks of site and node may differ by this much. */
export const clockToleranceSeconds = 5;

export interface TicketVerifier {
	/** A ticket to a workspace of this node. */
	workspace(ticket: string): Promise<TicketClaims>;
	/** A ticket to an app's pages. */
	visit(ticket: string): Promise<VisitTicketClaims>;
}

/**
 * Verifies tickets without asking the site.
 * @throws RepldockError `invalid_ticket` for a ticket that is forged, expired, or meant for another node or purpose.
 */
export function createTicketVerifier(options: {
	nodeId(): string | null;
	keys(): readonly TicketKey[];
}): TicketVerifier {
	const imported = new Map<string, Promise<CryptoKey>>();

	function findKey(kid: string | undefined): Promise<CryptoKey> {
		const key = options.keys().find((candidate) => candidate.kid === kid);
		if (!key) throw new Error("signed with a key that the site did not name");
		const present = imported.get(key.x);
		if (present) return present;
		const loading = importJWK({ ...key }, "EdDSA").then((loaded) => {
			if (loaded instanceof Uint8Array) throw new Error("not a public key");
			return loaded;
		});
		imported.set(key.x, loading);
		return loading;
	}

	async function verified(ticket: string, audience: string): Promise<JWTPayload> {
		const { payload } = await jwtVerify(ticket, (header) => findKey(header.kid), {
			algorithms: ["EdDSA"],
			issuer: ticketIssuer,
			audience,
			clockTolerance: clockToleranceSeconds,
			requiredClaims: ["exp", "iat"],
		});
		return payload;
	}

	return {
		async workspace(ticket) {
			try {
				const audience = options.nodeId();
				if (audience === null) throw new Error("the site has not told this node its id yet");
				return TicketClaims.parse(await verified(ticket, audience));
			} catch (error) {
				throw new RepldockError("invalid_ticket", "This link to the project is not valid any more. Reload the page.", {
					cause: error,
				});
			}
		},

		async visit(ticket) {
			try {
				return VisitTicketClaims.parse(await verified(ticket, visitTicketAudience));
			} catch (error) {
				throw new RepldockError("invalid_ticket", "This link to the app is not valid any more. Open the app again.", {
					cause: error,
				});
			}
		},
	};
}
