import type { EdgeChallenge } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import acme from "acme-client";
import type { DnsRecords } from "./dns-hook.ts";
import type { Issuer } from "./keeper.ts";

/** One exchange with the authority; the library itself waits for ever. */
const exchangeTimeoutMs = 30_000;

export interface AcmeOptions {
	/** Address of the authority's directory (RFC 8555). */
	directoryUrl: string;
	/** Where it may write to the operator. */
	email: string | undefined;
	/** PEM; the account is the one that belongs to it. */
	accountKey: string;
	/** Gives the edge all answers to HTTP-01 challenges; resolves when it has them. */
	publish: (challenges: EdgeChallenge[]) => Promise<void>;
	/** Without it there are no wildcards. */
	dns: DnsRecords | undefined;
	log: Logger;
	/** Waiting time between two looks at what the authority still works on. */
	pollMs?: { least: number; most: number };
}

export async function makeAccountKey(): Promise<string> {
	return (await acme.crypto.createPrivateEcdsaKey()).toString();
}

/** Asks an ACME authority: hosts prove themselves by HTTP-01 at the edge, wildcards by DNS-01. */
export function createAcmeIssuer(options: AcmeOptions): Issuer {
	acme.axios.defaults.timeout = exchangeTimeoutMs;
	const client = new acme.Client({
		directoryUrl: options.directoryUrl,
		accountKey: options.accountKey,
		backoffMin: options.pollMs?.least ?? 2_000,
		backoffMax: options.pollMs?.most ?? 30_000,
	});
	/** Token → answer, of all orders under way. */
	const published = new Map<string, string>();
	let account: Promise<unknown> | undefined;

	/** Makes the account or finds it; asked again after a failure. */
	function ensureAccount(): Promise<unknown> {
		account ??= client
			.createAccount({
				termsOfServiceAgreed: true,
				...(options.email ? { contact: [`mailto:${options.email}`] } : {}),
			})
			.catch((error: unknown) => {
				account = undefined;
				throw error;
			});
		return account;
	}

	const publish = () => options.publish([...published].map(([token, answer]) => ({ token, answer })));

	async function proveByHttp(authorization: acme.Authorization, challenge: { token: string }, answer: string) {
		published.set(challenge.token, answer);
		try {
			await publish();
			await settle(authorization, challenge);
		} finally {
			published.delete(challenge.token);
			await publish().catch((error: unknown) => options.log.warn({ err: error }, "an answered challenge was kept"));
		}
	}

	async function proveByDns(authorization: acme.Authorization, challenge: { token: string }, value: string) {
		const { dns } = options;
		if (!dns)
			throw new Error("A wildcard needs DNS-01: set REPLDOCK_ACME_DNS_HOOK, or bring the certificate as a file.");
		const record = `_acme-challenge.${authorization.identifier.value}`;
		try {
			await dns.present(record, value);
			await settle(authorization, challenge);
		} finally {
			await dns
				.cleanup(record, value)
				.catch((error: unknown) => options.log.warn({ err: error, record }, "a challenge's record was not removed"));
		}
	}

	async function settle(authorization: acme.Authorization, challenge: { token: string }) {
		await client.completeChallenge(challenge as acme.Authorization["challenges"][number]);
		await client.waitForValidStatus(authorization);
	}

	async function prove(authorization: acme.Authorization) {
		if (authorization.status === "valid") return;
		const kind = authorization.wildcard ? "dns-01" : "http-01";
		const challenge = authorization.challenges.find(({ type }) => type === kind);
		if (!challenge) throw new Error(`The authority offers no ${kind} for ${authorization.identifier.value}.`);
		const answer = await client.getChallengeKeyAuthorization(challenge);
		await (kind === "dns-01" ? proveByDns : proveByHttp)(authorization, challenge, answer);
	}

	return {
		async issue(name) {
			await ensureAccount();
			const order = await client.createOrder({ identifiers: [{ type: "dns", value: name }] });
			for (const authorization of await client.getAuthorizations(order)) await prove(authorization);
			const key = await acme.crypto.createPrivateEcdsaKey();
			const [, request] = await acme.crypto.createCsr({ altNames: [name] }, key);
			const finalized = await client.finalizeOrder(order, request);
			return { certificate: await client.getCertificate(finalized), key: key.toString() };
		},
	};
}
