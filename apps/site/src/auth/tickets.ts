import { randomUUID } from "node:crypto";
import {
	type Rights,
	TicketKey,
	ticketIssuer,
	ticketLifetimeSeconds,
	visitTicketAudience,
	visitTicketLifetimeSeconds,
} from "@repldock/protocol";
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

export interface VisitTicketRequest {
	readonly user: { readonly id: string; readonly name: string };
	readonly projectId: string;
	/** The app's host as the browser names it, with its port where that is not the scheme's own. */
	readonly host: string;
	/** What the app's host gave the browser when it sent it here. */
	readonly state: string;
	readonly rightsVersion: number;
}

export interface TicketSigner {
	/** The public half, which nodes verify with. */
	readonly publicKey: TicketKey;
	/** @returns a JWT that must be used within `ticketLifetimeSeconds`. */
	sign(request: TicketRequest): Promise<string>;
	/** @returns a JWT that opens one app to one browser, once, within `visitTicketLifetimeSeconds`. */
	signVisit(request: VisitTicketRequest): Promise<string>;
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
		signVisit({ user, projectId, host, state, rightsVersion }) {
			return new SignJWT({ name: user.name, visit: projectId, host, state, rightsVersion })
				.setProtectedHeader({ alg: "EdDSA", kid })
				.setIssuer(ticketIssuer)
				.setAudience(visitTicketAudience)
				.setJti(randomUUID())
				.setSubject(user.id)
				.setIssuedAt()
				.setExpirationTime(`${visitTicketLifetimeSeconds} s`)
				.sign(key);
		},
	};
}
