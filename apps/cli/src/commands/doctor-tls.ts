import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Finding } from "../machine/finding.ts";
import type { Settings } from "../settings.ts";

/** What the agent writes of its certificates (apps/node/src/certificates/certificates.ts). */
const Status = z.array(
	z.object({
		name: z.string(),
		notAfter: z.iso.datetime().nullable(),
		problem: z.string().nullable(),
		nextAttemptAt: z.iso.datetime().nullable(),
	}),
);

const soonMs = 14 * 86_400_000;

/** Certificates that are missing, end soon or cannot be renewed; nothing when the edge does not speak TLS. */
export async function checkCertificates(settings: Settings): Promise<Finding[]> {
	const { environment } = settings;
	const source = environment.REPLDOCK_TLS ?? "off";
	if (source === "off") return [];
	const findings = await Promise.all(
		(environment.REPLDOCK_TLS_CERTIFICATE ?? "").split(",").filter(Boolean).map(checkFile),
	);
	if (source !== "files") findings.push(...(await checkIssued(settings)));
	if (source === "local" && !settings.appsDomain.includes(".")) {
		findings.push({
			name: "certificates",
			state: "warning",
			detail: `browsers accept no certificate for *.${settings.appsDomain}, a wildcard below a single label`,
			mend: "set REPLDOCK_APPS_DOMAIN to a name with a dot, for example apps.localhost",
		});
	}
	if (findings.every(({ state }) => state === "ok")) return [{ name: "certificates", state: "ok", detail: source }];
	return findings.filter(({ state }) => state !== "ok");
}

async function checkFile(path: string): Promise<Finding> {
	const name = `certificate ${path}`;
	try {
		return judge(name, new X509Certificate(await readFile(path)).validToDate, null);
	} catch (error) {
		const detail = error instanceof Error ? error.message : String(error);
		return { name, state: "wrong", detail, mend: "name a PEM file in REPLDOCK_TLS_CERTIFICATE" };
	}
}

async function checkIssued(settings: Settings): Promise<Finding[]> {
	let status: z.infer<typeof Status>;
	try {
		status = Status.parse(JSON.parse(await readFile(join(settings.data, "certificates/status.json"), "utf8")));
	} catch {
		// Nothing has been issued yet, as before the first start.
		return [];
	}
	return status.map(({ name, notAfter, problem }) =>
		judge(`certificate of ${name}`, notAfter === null ? null : new Date(notAfter), problem),
	);
}

function judge(name: string, notAfter: Date | null, problem: string | null): Finding {
	const mend = "./repldock logs agent";
	if (!notAfter) return { name, state: "wrong", detail: problem ?? "not issued yet", mend };
	const leftMs = notAfter.getTime() - Date.now();
	const ends = `${leftMs < 0 ? "ended" : "ends"} on ${notAfter.toISOString().slice(0, 10)}`;
	const detail = problem ? `${ends}; the last attempt to renew it failed: ${problem}` : ends;
	if (leftMs < 0) return { name, state: "wrong", detail, mend };
	return problem || leftMs < soonMs ? { name, state: "warning", detail, mend } : { name, state: "ok", detail };
}
