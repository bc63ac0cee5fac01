import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "@repldock/service";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createAcmeIssuer, makeAccountKey } from "../../src/certificates/acme.ts";
import { createDnsHook } from "../../src/certificates/dns-hook.ts";
import { createKeeper, type Issuer, type Keeper } from "../../src/certificates/keeper.ts";
import { makeSelfSigned } from "../../src/certificates/make.ts";
import { type Certificate, readCertificate } from "../../src/certificates/read.ts";
import { openStore } from "../../src/certificates/store.ts";
import { startEdge, type TestEdge, until } from "../edge/support.ts";
import { type AcmeServer, startAcmeServer } from "./acme-server.ts";

const log = createLog("test", "silent");
let edge: TestEdge;
let acme: AcmeServer;
let directory: string;
/** The tokens that were given to the edge, each time. */
let published: string[][] = [];

beforeAll(async () => {
	edge = await startEdge("apps.test", {
		tls: {
			fallback: await makeSelfSigned("fallback.invalid"),
			// The authority asks the plain port, which must answer it all the same.
			redirect: true,
			hstsSeconds: 0,
		},
	});
	await edge.edge.replaceCertificates([]);
	await edge.edge.replaceRoutes({ revision: 1, routes: [] });
});
afterAll(() => edge?.release());

beforeEach(async () => {
	published = [];
	directory = await mkdtemp(join(tmpdir(), "repldock-acme-"));
	acme = await startAcmeServer({ httpPort: edge.port, lookUp });
});
afterEach(async () => {
	await acme.close();
	await rm(directory, { recursive: true, force: true });
});

/** The records that the hook below set, one file each. */
async function lookUp(record: string): Promise<string[]> {
	const text = await readFile(join(directory, record), "utf8").catch(() => "");
	return text.split("\n").filter(Boolean);
}

async function issuer(dnsHook?: string): Promise<Issuer> {
	return createAcmeIssuer({
		directoryUrl: acme.directoryUrl,
		email: "operator@example.com",
		accountKey: await makeAccountKey(),
		async publish(challenges) {
			published.push(challenges.map(({ token }) => token));
			await edge.edge.replaceChallenges(challenges);
		},
		dns: dnsHook ? createDnsHook(dnsHook) : undefined,
		log,
		pollMs: { least: 20, most: 100 },
	});
}

async function writeHook(): Promise<string> {
	const path = join(directory, "hook");
	const script = `#!/bin/sh
echo "$#:$*" >> '${directory}/calls'
case "$1" in present) echo "$3" >> '${directory}/'"$2" ;; cleanup) rm -f '${directory}/'"$2" ;; esac
`;
	await writeFile(path, script, { mode: 0o700 });
	await chmod(path, 0o700);
	return path;
}

test("a domain proves itself at the edge over HTTP, and the token is gone afterwards", async () => {
	const pair = await (await issuer()).issue("shop.example");
	const certificate = readCertificate(pair);
	expect(certificate.names).toEqual(["shop.example"]);
	expect(acme.accounts()).toEqual([{ contact: ["mailto:operator@example.com"], agreed: true }]);
	expect(published).toEqual([[expect.any(String)], []]);
	const answer = await edge.visit("shop.example", { path: `/.well-known/acme-challenge/${published[0]?.[0]}` });
	expect(answer.status).toBe(404);
});

test("a wildcard proves itself by the record that the hook sets, and takes away again", async () => {
	const pair = await (await issuer(await writeHook())).issue("*.apps.test");
	expect(readCertificate(pair).names).toEqual(["*.apps.test"]);
	const calls = (await readFile(join(directory, "calls"), "utf8")).trim().split("\n");
	expect(calls).toHaveLength(2);
	expect(calls[0]).toMatch(/^3:present _acme-challenge\.apps\.test [\w-]{43}$/);
	expect(calls[1]).toMatch(/^3:cleanup _acme-challenge\.apps\.test [\w-]{43}$/);
	expect(await lookUp("_acme-challenge.apps.test")).toEqual([]);
});

test("a wildcard without a hook says what to set", async () => {
	await expect((await issuer()).issue("*.apps.test")).rejects.toThrow("REPLDOCK_ACME_DNS_HOOK");
});

test("a stale nonce is taken anew, and one account serves all orders", async () => {
	const own = await issuer();
	acme.fail("badNonce");
	await own.issue("a.example");
	acme.fail("badNonce");
	await Promise.all([own.issue("b.example"), own.issue("c.example")]);
	expect([...acme.issued()].sort()).toEqual(["a.example", "b.example", "c.example"]);
	expect(acme.accounts()).toHaveLength(1);
});

test("a refusal is an error, and the hook's record is taken away all the same", async () => {
	const own = await issuer(await writeHook());
	acme.fail("order");
	await expect(own.issue("a.example")).rejects.toThrow("not for this name");
	acme.fail("validation");
	await expect(own.issue("*.apps.test")).rejects.toThrow();
	expect(await lookUp("_acme-challenge.apps.test")).toEqual([]);
	await own.issue("a.example");
});

async function keep(own: Issuer): Promise<{ keeper: Keeper; latest: () => Certificate[] }> {
	let latest: Certificate[] = [];
	const keeper = createKeeper({
		store: await openStore(directory),
		issuer: own,
		onChange: (certificates) => {
			latest = certificates;
		},
		log,
		retryFirstMs: 20,
		retryMostMs: 50,
	});
	return { keeper, latest: () => latest };
}

test("a certificate is renewed before it ends, and a failed renewal leaves the present one in place", async () => {
	acme.lifetimeMs = 3_000;
	const { keeper, latest } = await keep(await issuer());
	acme.fail("order");
	keeper.want(["shop.example"]);
	await until(async () => latest().length === 1);
	const first = latest()[0];
	for (let count = 0; count < 3; count += 1) acme.fail("order");
	await until(async () => keeper.status()[0]?.problem != null);
	expect(latest()[0]?.id).toBe(first?.id);
	acme.lifetimeMs = 90 * 86_400_000;
	await until(async () => latest()[0]?.id !== first?.id);
	expect(keeper.status()).toMatchObject([{ name: "shop.example", problem: null }]);
	keeper.close();
});
