import { randomBytes, type webcrypto } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";

/** A certificate, or a chain with the leaf first, and its private key; both PEM. */
export interface KeyPairPem {
	certificate: string;
	key: string;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const dayMs = 86_400_000;

/** Clocks of visitors may be behind ours. */
const clockSlackMs = 60 * 60_000;

/** Lifetimes of what we sign ourselves. Browsers refuse leaves that are valid for more than 398 days. */
const leafLifetimeMs = 90 * dayMs;
const authorityLifetimeMs = 10 * 365 * dayMs;

/** Positive and, as RFC 5280 asks, of at most 20 bytes. */
function serialNumber(): string {
	const bytes = randomBytes(16);
	bytes[0] = (bytes[0] ?? 0) & 0x7f;
	return bytes.toString("hex");
}

async function makeKeys(): Promise<{ keys: webcrypto.CryptoKeyPair; pem: string }> {
	const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
	const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
	return { keys, pem: `${x509.PemConverter.encode(pkcs8, "PRIVATE KEY")}\n` };
}

function validity(lifetimeMs: number) {
	return { notBefore: new Date(Date.now() - clockSlackMs), notAfter: new Date(Date.now() + lifetimeMs) };
}

function alternativeNames(names: readonly string[]): x509.SubjectAlternativeNameExtension {
	return new x509.SubjectAlternativeNameExtension(
		names.map((name) => (isIP(name) ? { type: "ip" as const, value: name } : { type: "dns" as const, value: name })),
	);
}

const leafExtensions = (names: readonly string[]) => [
	new x509.BasicConstraintsExtension(false, undefined, true),
	new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
	new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
	alternativeNames(names),
];

/** A certificate that vouches for itself alone: what visitors who name no host meet. */
export async function makeSelfSigned(name: string): Promise<KeyPairPem> {
	const { keys, pem } = await makeKeys();
	const certificate = await x509.X509CertificateGenerator.createSelfSigned({
		serialNumber: serialNumber(),
		name: `CN=${name}`,
		keys,
		signingAlgorithm: algorithm,
		...validity(leafLifetimeMs),
		extensions: leafExtensions([name]),
	});
	return { certificate: `${certificate.toString("pem")}\n`, key: pem };
}

/** A certificate authority for one machine. `name` is what people see in their list of authorities. */
export async function makeAuthority(name: string): Promise<KeyPairPem> {
	const { keys, pem } = await makeKeys();
	const certificate = await x509.X509CertificateGenerator.createSelfSigned({
		serialNumber: serialNumber(),
		name: [{ CN: [name] }],
		keys,
		signingAlgorithm: algorithm,
		...validity(authorityLifetimeMs),
		extensions: [
			new x509.BasicConstraintsExtension(true, 0, true),
			new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
			await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
		],
	});
	return { certificate: `${certificate.toString("pem")}\n`, key: pem };
}

/** Signs a new key for these names (hosts, wildcards, addresses). */
export async function signLeaf(authority: KeyPairPem, names: readonly string[], lifetimeMs = leafLifetimeMs) {
	const { keys, pem } = await makeKeys();
	const certificate = await signPublicKey(authority, keys.publicKey, names, lifetimeMs);
	return { certificate: `${certificate}\n${authority.certificate}`, key: pem };
}

/** @returns the leaf alone, PEM. */
export async function signPublicKey(
	authority: KeyPairPem,
	publicKey: webcrypto.CryptoKey,
	names: readonly string[],
	lifetimeMs: number,
): Promise<string> {
	const issuer = new x509.X509Certificate(authority.certificate);
	const pkcs8 = x509.PemConverter.decodeFirst(authority.key);
	const signingKey = await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
	const certificate = await x509.X509CertificateGenerator.create({
		serialNumber: serialNumber(),
		issuer: issuer.subject,
		// Names are told as alternative names alone: a common name has at most 64 characters.
		subject: "",
		publicKey,
		signingKey,
		signingAlgorithm: algorithm,
		notBefore: new Date(Date.now() - Math.min(clockSlackMs, lifetimeMs)),
		notAfter: new Date(Math.min(Date.now() + lifetimeMs, issuer.notAfter.getTime())),
		extensions: [
			...leafExtensions(names),
			await x509.AuthorityKeyIdentifierExtension.create(issuer),
			await x509.SubjectKeyIdentifierExtension.create(publicKey),
		],
	});
	return certificate.toString("pem");
}
