import { readFile } from "node:fs/promises";
import { AccessClaims, RepldockError } from "@repldock/protocol";
import { jwtVerify, SignJWT } from "jose";

/**
 * Access tokens: HS256 JWTs under a secret that agent and holder of one node share and that never leaves it. The agent
 * signs one for a valid ticket; both verify it on each request and socket.
 */

const algorithm = "HS256";
const secretLeastBytes = 32;

/**
 * Reads the node's access secret.
 * @throws Error when the file is missing or too short to be one.
 */
export async function readAccessSecret(path: string): Promise<Uint8Array> {
	const secret = await readFile(path);
	if (secret.length < secretLeastBytes) throw new Error(`${path} holds less than ${secretLeastBytes} bytes`);
	return secret;
}

/** @returns the token and the moment it expires, as ISO 8601. */
export async function signAccess(
	secret: Uint8Array,
	claims: Omit<AccessClaims, "iat" | "exp">,
	lifetimeSeconds: number,
): Promise<{ token: string; expiresAt: string }> {
	const issuedAt = Math.floor(Date.now() / 1000);
	const expiresAt = issuedAt + lifetimeSeconds;
	const token = await new SignJWT({ ...claims })
		.setProtectedHeader({ alg: algorithm })
		.setIssuedAt(issuedAt)
		.setExpirationTime(expiresAt)
		.sign(secret);
	return { token, expiresAt: new Date(expiresAt * 1000).toISOString() };
}

/** @throws RepldockError `invalid_ticket` for a forged, expired or malformed token. */
export async function verifyAccess(secret: Uint8Array, token: string): Promise<AccessClaims> {
	try {
		const { payload } = await jwtVerify(token, secret, { algorithms: [algorithm] });
		return AccessClaims.parse(payload);
	} catch (error) {
		throw new RepldockError("invalid_ticket", "Your access to this project has ended. Reload the page.", {
			cause: error,
		});
	}
}
