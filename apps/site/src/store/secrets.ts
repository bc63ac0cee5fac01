import { createHash, randomBytes } from "node:crypto";

/** A new secret of 256 bits: what its holder keeps, and the digest that the database keeps. */
export function newSecret(prefix: string): { secret: string; digest: Buffer } {
	const secret = prefix + randomBytes(32).toString("base64url");
	return { secret, digest: digestOf(secret) };
}

/** SHA-256; enough for secrets that are random, unlike passwords. */
export function digestOf(secret: string): Buffer {
	return createHash("sha256").update(secret).digest();
}
