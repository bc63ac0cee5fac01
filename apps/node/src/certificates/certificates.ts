import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "@repldock/service";
import type { Edge } from "../host.ts";
import { createAcmeIssuer, makeAccountKey } from "./acme.ts";
import { createDnsHook } from "./dns-hook.ts";
import { type CertificateFiles, watchFiles } from "./files.ts";
import { type CertificateStatus, createKeeper, type Issuer, type Keeper } from "./keeper.ts";
import { createLocalIssuer } from "./local.ts";
import { isPublicName, namesToGet } from "./names.ts";
import type { Certificate } from "./read.ts";
import { openStore } from "./store.ts";

export interface CertificateOptions {
	/** Where certificates come from. `files` brings all of them; the others get what the files do not cover. */
	source: "files" | "acme" | "local";
	/** `<data>/certificates`. */
	directory: string;
	/** Names of the site, the gateway and the apps' wildcard. */
	names: readonly string[];
	/** Custom domains that this node serves already. */
	domains: readonly string[];
	files: readonly CertificateFiles[];
	acme: { directoryUrl: string; email: string | undefined; dnsHook: string | undefined };
	edge: Pick<Edge, "replaceCertificates" | "replaceChallenges">;
	log: Logger;
}

export interface Certificates {
	/** All custom domains that this node serves, now and from now on. */
	wantDomains(domains: readonly string[]): void;
	/** Resolves when nothing is written any more; an order under way is left to the next start. */
	close(): Promise<void>;
}

/** File in which `doctor` looks how it stands. */
export const statusFile = "status.json";

/** Gets, keeps and renews this node's certificates, and gives them to the edge whenever they change. */
export async function startCertificates(options: CertificateOptions): Promise<Certificates> {
	const { source, directory, edge, log } = options;
	const store = await openStore(directory);
	let ownCertificates: Certificate[] = [];
	let { domains } = options;
	let isComplete = false;
	let writing = Promise.resolve();

	const files = await watchFiles({
		files: options.files,
		onChange: () => {
			wantNames();
			send();
		},
		log,
	});

	function send() {
		// An edge that outlived the last agent has all of them: it is not to have fewer until they are read from disk.
		if (!isComplete) return;
		edge
			.replaceCertificates([...files.certificates, ...ownCertificates].map(forEdge))
			.catch((error: unknown) => log.error({ err: error }, "the edge did not take the certificates"));
	}

	/** One write after the other, the last one last. */
	function writeStatus(status: CertificateStatus[]) {
		const path = join(directory, statusFile);
		writing = writing
			.then(async () => {
				await writeFile(`${path}.new`, JSON.stringify(status), { mode: 0o600 });
				await rename(`${path}.new`, path);
			})
			.catch((error: unknown) => log.error({ err: error }, "the certificates' status was not written"));
	}

	async function openIssuer(): Promise<{ keeper: Keeper; canGet: (name: string) => boolean } | undefined> {
		if (source === "files") return undefined;
		const { directoryUrl, email, dnsHook } = options.acme;
		// One folder an authority: a certificate of a staging authority must not pass for one of the real.
		const own = await openStore(join(directory, source === "local" ? "local" : new URL(directoryUrl).hostname));
		const issuer: Issuer =
			source === "local"
				? await createLocalIssuer(store)
				: createAcmeIssuer({
						directoryUrl,
						email,
						accountKey: await own.ensure("account.key", makeAccountKey),
						publish: edge.replaceChallenges,
						dns: dnsHook ? createDnsHook(dnsHook) : undefined,
						log,
					});
		await own.tidy((name) => options.names.includes(name));
		const keeper = createKeeper({
			store: own,
			issuer,
			onChange(certificates) {
				ownCertificates = certificates;
				send();
			},
			onStatus: writeStatus,
			log,
		});
		const canGet = (name: string) => source === "local" || isPublicName(name);
		for (const name of options.names.filter((name) => !canGet(name)))
			log.warn({ name }, "no public authority gives a certificate for this name");
		return { keeper, canGet };
	}

	const issuing = await openIssuer();

	function wantNames() {
		if (!issuing) return;
		const present = files.certificates.flatMap(({ names }) => names);
		const wanted = [...options.names, ...domains].filter(issuing.canGet);
		issuing.keeper.want(namesToGet(wanted, present));
	}

	wantNames();
	await issuing?.keeper.loaded();
	isComplete = true;
	// Even when there is none yet: until the first list the edge lets visitors wait.
	send();
	return {
		wantDomains(latest) {
			domains = latest;
			wantNames();
		},
		close() {
			files.close();
			issuing?.keeper.close();
			return writing;
		},
	};
}

function forEdge({ id, names, certificate, key }: Certificate) {
	return { id, names, certificate, key };
}
