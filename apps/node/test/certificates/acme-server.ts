import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import * as x509 from "@peculiar/x509";
import acme from "acme-client";
import { calculateJwkThumbprint, decodeProtectedHeader, flattenedVerify, importJWK, type JWK } from "jose";
import { type KeyPairPem, makeAuthority, signPublicKey } from "../../src/certificates/make.ts";

/** What the server may be told to get wrong, once for each time it is told. */
export type Fault = "badNonce" | "validation" | "order" | "server";

export interface AcmeServer {
	directoryUrl: string;
	authority: KeyPairPem;
	/** The next time that this could go wrong, it does. */
	fail(fault: Fault): void;
	/** Of all certificates from now on. */
	lifetimeMs: number;
	accounts(): { contact: string[]; agreed: boolean }[];
	/** Names of the certificates given out, in order. */
	issued(): string[];
	close(): Promise<void>;
}

interface Order {
	id: string;
	name: string;
	account: string;
	token: string;
	authorization: "pending" | "valid" | "invalid";
	certificate?: string;
}

interface Account {
	id: string;
	jwk: JWK;
	contact: string[];
	agreed: boolean;
}

const random = () => randomBytes(12).toString("base64url");

/**
 * A small ACME authority (a subset of RFC 8555). HTTP-01 is proved by really fetching from port `httpPort` of
 * 127.0.0.1 with the host's name; DNS-01 by what `lookUp` finds.
 */
export async function startAcmeServer(options: {
	httpPort: number;
	lookUp?: (record: string) => Promise<string[]>;
}): Promise<AcmeServer> {
	const authority = await makeAuthority("Test ACME");
	const nonces = new Set<string>();
	const accounts = new Map<string, Account>();
	const orders = new Map<string, Order>();
	const faults: Fault[] = [];
	const issued: string[] = [];
	const state = { lifetimeMs: 90 * 86_400_000 };

	function takeFault(fault: Fault): boolean {
		const index = faults.indexOf(fault);
		if (index >= 0) faults.splice(index, 1);
		return index >= 0;
	}

	const server = createServer((incoming, response) => {
		answer(incoming, response).catch((error: unknown) => {
			response.statusCode = 500;
			response.end(String(error));
		});
	}).listen(0, "127.0.0.1");
	await once(server, "listening");
	const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

	function send(response: ServerResponse, status: number, body?: unknown, headers: Record<string, string> = {}) {
		const nonce = random();
		nonces.add(nonce);
		response.writeHead(status, { "replay-nonce": nonce, "content-type": "application/json", ...headers });
		response.end(typeof body === "string" ? body : body === undefined ? "" : JSON.stringify(body));
	}

	const refuse = (response: ServerResponse, status: number, type: string, detail: string) =>
		send(
			response,
			status,
			{ type: `urn:ietf:params:acme:error:${type}`, detail, status },
			{
				"content-type": "application/problem+json",
			},
		);

	/** Checks a signed request (RFC 7515) and says whose it is. */
	async function open(
		incoming: IncomingMessage,
	): Promise<{ payload: Record<string, unknown>; account: string; jwk: JWK }> {
		const chunks: Buffer[] = [];
		for await (const chunk of incoming) chunks.push(chunk as Buffer);
		const jws = JSON.parse(Buffer.concat(chunks).toString());
		const header = decodeProtectedHeader(jws) as { nonce: string; url: string; alg: string; kid?: string; jwk?: JWK };
		if (!nonces.delete(header.nonce)) throw new Error("the nonce is not fresh");
		if (header.url !== `${base}${incoming.url}`) throw new Error("the signed address is another one");
		const account = header.kid?.split("/").at(-1) ?? "";
		const jwk = header.jwk ?? accounts.get(account)?.jwk;
		if (!jwk) throw new Error("the account is unknown");
		const { payload } = await flattenedVerify(jws, await importJWK(jwk, header.alg));
		const text = Buffer.from(payload).toString();
		return { payload: text === "" ? {} : JSON.parse(text), account, jwk };
	}

	async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
		const [, kind = "", id = ""] = (incoming.url ?? "").split("/");
		if (kind === "directory") {
			return send(response, 200, {
				newNonce: `${base}/nonce`,
				newAccount: `${base}/account`,
				newOrder: `${base}/order`,
				revokeCert: `${base}/revoke`,
				keyChange: `${base}/key`,
				meta: { termsOfService: `${base}/terms` },
			});
		}
		if (kind === "nonce") return send(response, 200);
		if (takeFault("server")) return refuse(response, 500, "serverInternal", "told to fail");
		const { payload, account, jwk } = await open(incoming);
		if (takeFault("badNonce")) return refuse(response, 400, "badNonce", "told to fail");
		if (kind === "account") {
			const thumbprint = await calculateJwkThumbprint(jwk);
			const known = accounts.has(thumbprint);
			if (!known && payload.termsOfServiceAgreed !== true) return refuse(response, 403, "userActionRequired", "agree");
			const contact = (payload.contact ?? []) as string[];
			if (!known) accounts.set(thumbprint, { id: thumbprint, jwk, contact, agreed: true });
			return send(
				response,
				known ? 200 : 201,
				{ status: "valid", contact },
				{ location: `${base}/account/${thumbprint}` },
			);
		}
		if (kind === "order" && id === "") return newOrder(response, payload, account);
		const order = orders.get(id);
		if (!order || order.account !== account) return refuse(response, 404, "malformed", "no such order");
		if (kind === "order") return send(response, 200, orderBody(order));
		if (kind === "authorization") return send(response, 200, authorizationBody(order));
		if (kind === "challenge") {
			await validate(order, incoming.url?.split("/")[3] ?? "");
			return send(response, 200, challengeBody(order, incoming.url?.split("/")[3] ?? ""));
		}
		if (kind === "finalize") return finalize(response, order, payload);
		if (kind === "certificate")
			return send(response, 200, order.certificate ?? "", { "content-type": "application/pem-certificate-chain" });
		return refuse(response, 404, "malformed", "nothing here");
	}

	function newOrder(response: ServerResponse, payload: Record<string, unknown>, account: string) {
		if (takeFault("order")) return refuse(response, 403, "rejectedIdentifier", "not for this name");
		const [identifier] = payload.identifiers as { value: string }[];
		const order: Order = {
			id: random(),
			name: identifier?.value ?? "",
			account,
			token: random(),
			authorization: "pending",
		};
		orders.set(order.id, order);
		send(response, 201, orderBody(order), { location: `${base}/order/${order.id}` });
	}

	const orderBody = (order: Order) => ({
		status: order.certificate
			? "valid"
			: { pending: "pending", valid: "ready", invalid: "invalid" }[order.authorization],
		identifiers: [{ type: "dns", value: order.name }],
		authorizations: [`${base}/authorization/${order.id}`],
		finalize: `${base}/finalize/${order.id}`,
		...(order.certificate ? { certificate: `${base}/certificate/${order.id}` } : {}),
	});

	const challengeBody = (order: Order, type: string) => ({
		type,
		url: `${base}/challenge/${order.id}/${type}`,
		token: order.token,
		status: order.authorization,
	});

	const authorizationBody = (order: Order) => ({
		status: order.authorization,
		identifier: { type: "dns", value: order.name.replace(/^\*\./, "") },
		...(order.name.startsWith("*.") ? { wildcard: true } : {}),
		challenges: (order.name.startsWith("*.") ? ["dns-01"] : ["http-01", "dns-01"]).map((type) =>
			challengeBody(order, type),
		),
	});

	async function validate(order: Order, type: string) {
		const jwk = accounts.get(order.account)?.jwk as JWK;
		const expected = `${order.token}.${await calculateJwkThumbprint(jwk)}`;
		const isProved =
			type === "http-01"
				? (await fetchAs(order.name, `/.well-known/acme-challenge/${order.token}`)) === expected
				: (await options.lookUp?.(`_acme-challenge.${order.name.replace(/^\*\./, "")}`))?.includes(
						createHash("sha256").update(expected).digest("base64url"),
					) === true;
		order.authorization = isProved && !takeFault("validation") ? "valid" : "invalid";
	}

	function fetchAs(host: string, path: string): Promise<string> {
		return new Promise((resolve) => {
			const outgoing = request({ host: "127.0.0.1", port: options.httpPort, path, headers: { host }, agent: false });
			outgoing.on("error", (error) => resolve(String(error)));
			outgoing.on("response", (response) => {
				let text = "";
				response.on("data", (chunk) => {
					text += chunk;
				});
				response.on("end", () => resolve(response.statusCode === 200 ? text : ""));
			});
			outgoing.end();
		});
	}

	async function finalize(response: ServerResponse, order: Order, payload: Record<string, unknown>) {
		if (order.authorization !== "valid") return refuse(response, 403, "orderNotReady", "prove it first");
		const csr = new x509.Pkcs10CertificateRequest(Buffer.from(String(payload.csr), "base64url"));
		const names = acme.crypto.readCsrDomains(csr.toString("pem")).altNames;
		if (names.length !== 1 || names[0] !== order.name) return refuse(response, 400, "badCSR", "other names");
		const leaf = await signPublicKey(authority, await csr.publicKey.export(), [order.name], state.lifetimeMs);
		order.certificate = `${leaf}\n${authority.certificate}`;
		issued.push(order.name);
		return send(response, 200, orderBody(order));
	}

	return {
		directoryUrl: `${base}/directory`,
		authority,
		fail: (fault) => faults.push(fault),
		get lifetimeMs() {
			return state.lifetimeMs;
		},
		set lifetimeMs(value) {
			state.lifetimeMs = value;
		},
		accounts: () => [...accounts.values()].map(({ contact, agreed }) => ({ contact, agreed })),
		issued: () => issued,
		async close() {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}
