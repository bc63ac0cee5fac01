import { hkdfSync, randomBytes, randomUUID } from "node:crypto";
import { link, mkdir, readFile, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exportJWK, generateKeyPair } from "jose";

export interface Secrets {
	/** Signs session cookies. */
	readonly authSecret: string;
	/** Private Ed25519 key as JSON text in JWK form. */
	readonly ticketKey: string;
	/** What nodes prove themselves with. */
	readonly nodeToken: string;
	/** What the cluster's edges prove themselves to each other with; it follows from `authSecret`. */
	readonly edgeSecret: string;
}

/** Reads the site's secrets, and makes those that are missing. Of several instances that start at once all get the same. */
export async function readSecrets(directory: string): Promise<Secrets> {
	await mkdir(directory, { recursive: true, mode: 0o700 });
	const randomText = async () => randomBytes(32).toString("base64url");
	const [authSecret, ticketKey, nodeToken] = await Promise.all([
		readOrMake(directory, "auth-secret", randomText),
		readOrMake(directory, "ticket-key.jwk", async () => {
			const { privateKey } = await generateKeyPair("Ed25519", { extractable: true });
			return JSON.stringify(await exportJWK(privateKey));
		}),
		readOrMake(directory, "node-token", randomText),
	]);
	// Derived, so that sites which share the secrets that they had before agree on it too. It does not lead back.
	const edgeSecret = Buffer.from(hkdfSync("sha256", authSecret, "", "repldock edge hop", 32)).toString("base64url");
	return { authSecret, ticketKey, nodeToken, edgeSecret };
}

async function readOrMake(directory: string, name: string, make: () => Promise<string>): Promise<string> {
	const path = join(directory, name);
	try {
		return (await readFile(path, "utf8")).trim();
	} catch (error) {
		if (!hasCode(error, "ENOENT")) throw error;
	}
	// Written aside and linked into place: nobody reads half a secret, and the first of two writers wins.
	const draft = `${path}.${randomUUID()}`;
	await writeFile(draft, `${await make()}\n`, { mode: 0o600, flag: "wx" });
	try {
		await link(draft, path);
	} catch (error) {
		if (!hasCode(error, "EEXIST")) throw error;
	} finally {
		await unlink(draft);
	}
	return (await readFile(path, "utf8")).trim();
}

function hasCode(error: unknown, code: string): boolean {
	return error instanceof Error && "code" in error && error.code === code;
}
