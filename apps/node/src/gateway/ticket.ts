import { RepldockError, TicketClaims, type TicketKey, ticketIssuer } from "@repldock/protocol";
import { type CryptoKey, importJWK, jwtVerify } from "jose";

/** Clocks of site and node may differ by this much. */
const clockToleranceSeconds = 5;

/**
 * Verifies tickets without asking the site.
 * @throws RepldockError `invalid_ticket` for a ticket that is forged, expired, or meant for another node.
 */
export function createTicketVerifier(options: {
	nodeId(): string | null;
	keys(): readonly TicketKey[];
}): (ticket: string) => Promise<TicketClaims> {
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

	return async (ticket) => {
		try {
			const audience = options.nodeId();
			if (audience === null) throw new Error("the site has not told this node its id yet");
			const { payload } = await jwtVerify(ticket, (header) => findKey(header.kid), {
				algorithms: ["EdDSA"],
				issuer: ticketIssuer,
				audience,
				clockTolerance: clockToleranceSeconds,
				requiredClaims: ["exp", "iat"],
			});
			return TicketClaims.parse(payload);
		} catch (error) {
			throw new RepldockError("invalid_ticket", "This link to the project is not valid any more. Reload the page.", {
				cause: error,
			});
		}
	};
}
