import { type Rights, TicketKey, ticketIssuer, ticketLifetimeSeconds } from "@repldock/protocol";
import { calculateJwkThumbprint, importJWK, SignJWT } from "jose";
import { z } from "zod";

export interface TicketRequest {
	readonly nodeId: string;
	readonly user: { readonly id: string; readonly name: string };
	readonly projectId: string;
	readonly rights: Rights;
	readonly rightsVersion: number;
	readonly wantVersion: number;
}

export interface TicketSigner {
	/** The public half, which nodes verify with. */
	readonly publicKey: TicketKey;
	/** @returns a JWT that must be used within `ticketLifetimeSeconds`. */
	sign(request: TicketRequest): Promise<string>;
}

const PrivateKey = z.object({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: z.string(), d: z.string() });

/** @param text the private key, JSON in JWK form. */
export async function createTicketSigner(text: string): Promise<TicketSigner> {
	const jwk = PrivateKey.parse(JSON.parse(text));
	const kid = await calculateJwkThumbprint(jwk);
	const key = await importJWK(jwk, "EdDSA");
	return {
		publicKey: TicketKey.parse({ kid, kty: jwk.kty, crv: jwk.crv, x: jwk.x }),
		sign({ nodeId, user, projectId, rights, rightsVersion, wantVersion }) {
			return new SignJWT({ name: user.name, projectId, rights, rightsVersion, wantVersion })
				.setProtectedHeader({ alg: "EdDSA", kid })
				.setIssuer(ticketIssuer)
				.setAudience(nodeId)
				.setSubject(user.id)
				.setIssuedAt()
				.setExpirationTime(`${ticketLifetimeSeconds} s`)
				.sign(key);
		},
	};
}
