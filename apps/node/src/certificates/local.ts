import { hostname } from "node:os";
import type { Issuer } from "./keeper.ts";
import { type KeyPairPem, makeAuthority, signLeaf } from "./make.ts";
import type { CertificateStore } from "./store.ts";

/** File of the authority's certificate in the certificates directory: what people tell their browsers to trust. */
export const authorityFile = "authority.crt";

/** An authority of this machine's own, made on first use: for tries, and for networks without a public name. */
export async function createLocalIssuer(store: CertificateStore): Promise<Issuer> {
	let made: Promise<KeyPairPem> | undefined;
	const make = () => {
		made ??= makeAuthority(`Repldock on ${hostname()}`);
		return made;
	};
	const authority = {
		// The key first: without it the certificate is worth nothing, and the other way round it is made anew.
		key: await store.ensure("authority.key", async () => (await make()).key),
		certificate: await store.ensure(authorityFile, async () => (await make()).certificate),
	};
	return { issue: (name) => signLeaf(authority, [name]) };
}
