import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkCertificates } from "../src/commands/doctor-tls.ts";
import { readSettings } from "../src/settings.ts";

let data: string;
beforeEach(async () => {
	data = await mkdtemp(join(tmpdir(), "repldock-doctor-"));
	await mkdir(join(data, "certificates"));
});
afterEach(() => rm(data, { recursive: true, force: true }));

const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();

async function diagnose(status: object[], environment: Record<string, string> = {}) {
	await writeFile(join(data, "certificates/status.json"), JSON.stringify(status));
	const all = { REPLDOCK_TLS: "acme", REPLDOCK_APPS_DOMAIN: "apps.example.com", ...environment };
	return checkCertificates(readSettings(["doctor", "--data", data], all));
}

test("doctor tells of certificates that are missing, end soon or cannot be renewed, and is quiet about good ones", async () => {
	const good = { name: "good.example", notAfter: inDays(60), problem: null, nextAttemptAt: null };
	expect(await diagnose([good])).toMatchObject([{ state: "ok" }]);
	expect(await diagnose([], { REPLDOCK_TLS: "off" })).toEqual([]);
	const findings = await diagnose([
		good,
		{ ...good, name: "soon.example", notAfter: inDays(3) },
		{ ...good, name: "stuck.example", problem: "the authority said no" },
		{ ...good, name: "over.example", notAfter: inDays(-1) },
		{ ...good, name: "none.example", notAfter: null, problem: "no answer" },
	]);
	expect(findings.map(({ name, state }) => [name, state])).toEqual([
		["certificate of soon.example", "warning"],
		["certificate of stuck.example", "warning"],
		["certificate of over.example", "wrong"],
		["certificate of none.example", "wrong"],
	]);
	expect(findings[1]?.detail).toContain("the authority said no");
});

test("doctor tells of a certificate file that cannot be read, and of a wildcard that no browser accepts", async () => {
	const files = await diagnose([], { REPLDOCK_TLS: "files", REPLDOCK_TLS_CERTIFICATE: "/nowhere.pem" });
	expect(files).toMatchObject([{ name: "certificate /nowhere.pem", state: "wrong" }]);
	const local = await diagnose([], { REPLDOCK_TLS: "local", REPLDOCK_APPS_DOMAIN: "localhost" });
	expect(local).toMatchObject([{ state: "warning", detail: expect.stringContaining("*.localhost") }]);
});
