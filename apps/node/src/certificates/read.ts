import { createPrivateKey, X509Certificate } from "node:crypto";
import type { EdgeCertificate } from "@repldock/protocol";
import type { KeyPairPem } from "./make.ts";

/** A certificate as the edge takes it, with its time. */
export interface Certificate extends EdgeCertificate {
	notBefore: Date;
	notAfter: Date;
}

/** Names that a certificate is for: `DNS:a.example, IP Address:10.0.0.1` as node:crypto writes them. */
function namesOf(leaf: X509Certificate): string[] {
	const entries = leaf.subjectAltName?.split(", ") ?? [];
	return entries.flatMap((entry) => {
		const match = /^(?:DNS|IP Address):([\w.:*-]+)$/.exec(entry);
		return match?.[1] ? [match[1].toLowerCase()] : [];
	});
}

/**
 * Reads a chain and its key.
 * @throws Error with a sentence when they cannot be read, do not belong together or name no host.
 */
export function readCertificate({ certificate, key }: KeyPairPem): Certificate {
	let leaf: X509Certificate;
	let matches: boolean;
	try {
		leaf = new X509Certificate(certificate);
		matches = leaf.checkPrivateKey(createPrivateKey(key));
	} catch (cause) {
		throw new Error("The certificate or its key cannot be read; both must be PEM, the key without a password.", {
			cause,
		});
	}
	if (!matches) throw new Error("The key does not belong to the certificate.");
	const names = namesOf(leaf);
	if (names.length === 0) throw new Error("The certificate names no host (subject alternative names).");
	return {
		id: leaf.fingerprint256.replaceAll(":", "").toLowerCase(),
		names,
		certificate,
		key,
		notBefore: leaf.validFromDate,
		notAfter: leaf.validToDate,
	};
}
