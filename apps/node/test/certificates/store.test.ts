import { X509Certificate } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EdgeCertificate } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Certificates, startCertificates } from "../../src/certificates/certificates.ts";
import { watchFiles } from "../../src/certificates/files.ts";
import { renewalTimeMs } from "../../src/certificates/keeper.ts";
import { makeAuthority, signLeaf } from "../../src/certificates/make.ts";
import { covers, isPublicName, namesToGet } from "../../src/certificates/names.ts";
import type { Certificate } from "../../src/certificates/read.ts";
import { openStore } from "../../src/certificates/store.ts";
import { until } from "../edge/support.ts";

const log = createLog("test", "silent");
let directory: string;

beforeEach(async () => {
	directory = await mkdtemp(join(tmpdir(), "repldock-certificates-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function startLocal(names: string[], files: { certificate: string; key: string }[] = [], domains: string[] = []) {
	const counts: number[] = [];
	let given: readonly EdgeCertificate[] = [];
	const certificates: Certificates = await startCertificates({
		source: "local",
		directory: join(directory, "certificates"),
		names,
		domains,
		files,
		acme: { directoryUrl: "http://127.0.0.1:9", email: undefined, dnsHook: undefined },
		edge: {
			replaceCertificates: async (list) => {
				given = list;
				counts.push(list.length);
			},
			replaceChallenges: async () => undefined,
		},
		log,
	});
	return { certificates, counts, given: () => given, names: () => given.flatMap((one) => one.names).sort() };
}

test("the local authority signs hosts, wildcards and addresses, and is the same after a restart", async () => {
	const first = await startLocal(["localhost", "127.0.0.1", "*.apps.localhost"]);
	await until(async () => first.given().length === 3);
	await first.certificates.close();
	const authority = new X509Certificate(await readFile(join(directory, "certificates/authority.crt")));
	expect(authority.ca).toBe(true);
	for (const { certificate } of first.given())
		expect(new X509Certificate(certificate).verify(authority.publicKey)).toBe(true);

	const second = await startLocal(["localhost", "127.0.0.1", "*.apps.localhost"]);
	await until(async () => second.given().length === 3);
	await second.certificates.close();
	expect(
		second
			.given()
			.map(({ id }) => id)
			.sort(),
	).toEqual(
		first
			.given()
			.map(({ id }) => id)
			.sort(),
	);
});

test("an agent that starts anew gives the edge all that is kept at once, so that no handshake fails meanwhile", async () => {
	const first = await startLocal(["localhost", "*.apps.localhost"], [], ["shop.example"]);
	await until(async () => first.given().length === 3);
	await first.certificates.close();
	const second = await startLocal(["localhost", "*.apps.localhost"], [], ["shop.example"]);
	expect(second.counts).toEqual([3]);
	await second.certificates.close();
});

test("custom domains get their certificates when they come, and lose them when they go", async () => {
	const { certificates, names } = await startLocal(["localhost"]);
	certificates.wantDomains(["shop.example", "blog.example"]);
	await until(async () => names().length === 3);
	certificates.wantDomains(["blog.example"]);
	await until(async () => names().length === 2);
	expect(names()).toEqual(["blog.example", "localhost"]);
	await certificates.close();
});

test("keys and certificates are for root's eyes alone", async () => {
	const { certificates, given } = await startLocal(["localhost"]);
	await until(async () => given().length === 1);
	await until(async () => (await readdir(join(directory, "certificates"))).includes("status.json"));
	await certificates.close();
	const entries = await readdir(join(directory, "certificates"), { recursive: true, withFileTypes: true });
	for (const entry of entries) {
		const { mode } = await stat(join(entry.parentPath, entry.name));
		expect(mode & 0o077, entry.name).toBe(0);
	}
	expect(await readFile(join(directory, "certificates/status.json"), "utf8")).not.toContain("PRIVATE");
});

test("a damaged certificate on disk is asked for anew", async () => {
	const store = await openStore(directory);
	await writeFile(join(directory, "a.example.pem"), "nonsense");
	expect(await store.find("a.example")).toBeUndefined();
	const pair = await signLeaf(await makeAuthority("One"), ["*.a.example"]);
	await store.keep("*.a.example", pair);
	expect(await store.find("*.a.example")).toMatchObject({ names: ["*.a.example"], key: pair.key });
	await expect(store.keep("../escape", pair)).rejects.toThrow();
});

test("what is past its time is tidied away, what is used or good stays", async () => {
	const store = await openStore(directory);
	const authority = await makeAuthority("One");
	await store.keep("old.example", await signLeaf(authority, ["old.example"], -1));
	await store.keep("used.example", await signLeaf(authority, ["used.example"], -1));
	await store.keep("good.example", await signLeaf(authority, ["good.example"]));
	await store.tidy((name) => name === "used.example");
	expect((await readdir(directory)).sort()).toEqual(["good.example.pem", "used.example.pem"]);
});

test("certificate files are read again when they change, and a broken change leaves the last good ones", async () => {
	const authority = await makeAuthority("Mine");
	const files = { certificate: join(directory, "chain.pem"), key: join(directory, "key.pem") };
	async function write(...names: string[]) {
		const pair = await signLeaf(authority, names);
		await writeFile(files.certificate, pair.certificate);
		await writeFile(files.key, pair.key);
	}
	await write("*.apps.example");
	let latest: Certificate[] = [];
	const watch = await watchFiles({
		files: [files],
		onChange: (certificates) => {
			latest = certificates;
		},
		log,
		intervalMs: 20,
	});
	expect(watch.certificates[0]?.names).toEqual(["*.apps.example"]);
	await writeFile(files.key, "half a k");
	await write("*.apps.example", "example.com");
	await until(async () => latest[0]?.names.length === 2);
	watch.close();
	await expect(
		watchFiles({ files: [{ ...files, key: "/nowhere" }], onChange: () => undefined, log }),
	).rejects.toThrow();
});

test("names that the operator's files cover are not asked for", async () => {
	const pair = await signLeaf(await makeAuthority("Mine"), ["*.apps.example"]);
	const files = { certificate: join(directory, "chain.pem"), key: join(directory, "key.pem") };
	await writeFile(files.certificate, pair.certificate);
	await writeFile(files.key, pair.key);
	const { certificates, given, names } = await startLocal(
		["example.com", "node.apps.example", "*.apps.example"],
		[files],
	);
	await until(async () => given().length === 2);
	expect(names()).toEqual(["*.apps.example", "example.com"]);
	await certificates.close();
});

test("a renewal comes after two thirds of a certificate's life, not all at once", () => {
	const notBefore = new Date(0);
	const notAfter = new Date(90 * 86_400_000);
	const days = (random: number) => renewalTimeMs({ notBefore, notAfter }, random) / 86_400_000;
	expect(days(0)).toBeCloseTo(60);
	expect(days(1)).toBeCloseTo(63);
});

test("a wildcard is for one label, and each other name gets a certificate of its own", () => {
	expect(covers(["*.apps.example"], "a.apps.example")).toBe(true);
	expect(covers(["*.apps.example"], "a.b.apps.example")).toBe(false);
	expect(covers(["*.apps.example"], "apps.example")).toBe(false);
	const wanted = ["example.com", "node.apps.example", "*.apps.example", "shop.org", "shop.org"];
	expect(namesToGet(wanted, ["shop.org"])).toEqual(["example.com", "*.apps.example"]);
	expect(["localhost", "127.0.0.1", "a.localhost", "intranet"].map(isPublicName)).toEqual([false, false, false, false]);
	expect(isPublicName("*.apps.example.com")).toBe(true);
});
