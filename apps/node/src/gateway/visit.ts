import { ProjectId, RepldockError, UserId } from "@repldock/protocol";
import { jwtVerify, SignJWT } from "jose";
import { z } from "zod";

/**
 * Visit tokens: what the cookie on a private app's host name holds. They open that app's pages and nothing else, since
 * the browser sends them along with every request to a stranger's program's host name.
 */
const VisitClaims = z.object({
	visit: ProjectId,
	sub: UserId,
	/** The person's name when the cookie was made; cookies of before names were told have none. */
	name: z.string().default(""),
	rightsVersion: z.int(),
	exp: z.int(),
});
export type VisitClaims = z.infer<typeof VisitClaims>;

const algorithm = "HS256";
// Keeps the two kinds of token under one secret apart: neither is ever taken for the other.
const audience = "visit";
export const visitLifetimeSeconds = 12 * 60 * 60;

export function signVisit(secret: Uint8Array, claims: Omit<VisitClaims, "exp">): Promise<string> {
	const { sub, ...rest } = claims;
	return new SignJWT(rest)
		.setProtectedHeader({ alg: algorithm })
		.setSubject(sub)
		.setAudience(audience)
		.setExpirationTime(Math.floor(Date.now() / 1000) + visitLifetimeSeconds)
		.sign(secret);
}

/** @throws RepldockError `invalid_ticket` for a forged, expired or malformed token. */
export async function verifyVisit(secret: Uint8Array, token: string): Promise<VisitClaims> {
	try {
		const { payload } = await jwtVerify(token, secret, { algorithms: [algorithm], audience });
		return VisitClaims.parse(payload);
	} catch (error) {
		throw new RepldockError("invalid_ticket", "Your access to this app has ended. Open it from the project again.", {
			cause: error,
		});
	}
}
