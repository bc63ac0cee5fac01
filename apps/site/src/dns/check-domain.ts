import type { Logger } from "@repldock/service";
import type { AppsAddress } from "../domain/address.ts";
import { afterCheck, isProved, proofRecords } from "../domain/custom-domain.ts";
import type { Database } from "../store/database.ts";
import { claimDueDomains, recordCheck, type StoredDomain } from "../store/domains.ts";
import type { Resolver } from "./resolver.ts";

export interface DomainChecks {
	readonly database: Database;
	readonly resolver: Resolver;
	readonly apps: AppsAddress;
	/** How long a verified domain is shown after its proof has gone. */
	readonly graceMs: number;
	readonly log: Logger;
}

/** `taken`: it is proved, but another project shows it. `unknown`: DNS did not answer, so nothing changed. */
export type CheckOutcome = "proved" | "unproved" | "taken" | "unknown";

/** Looks for a domain's proof in DNS and writes down what follows from it. */
export async function checkDomain(checks: DomainChecks, domain: StoredDomain): Promise<CheckOutcome> {
	const records = proofRecords(domain.name, domain.token, domain.slug, checks.apps);
	let proved: boolean;
	try {
		const [txt, cname] = await Promise.all([
			checks.resolver.txt(`_repldock.${domain.name}`),
			checks.resolver.cname(domain.name),
		]);
		proved = isProved({ txt, cname }, records);
	} catch (error) {
		// An outage of DNS is not a proof that has gone.
		checks.log.warn({ err: error, domain: domain.name, project: domain.projectId }, "DNS did not answer");
		return "unknown";
	}
	const after = afterCheck(domain, proved, new Date(), checks.graceMs);
	const recorded = await recordCheck(checks.database, domain.id, after);
	if (recorded === "taken") return "taken";
	if (domain.verifiedAt && !after.verifiedAt) {
		checks.log.info(
			{ domain: domain.name, project: domain.projectId },
			"a domain is no longer shown: its proof is gone",
		);
	}
	return proved ? "proved" : "unproved";
}

/** Looks at those domains whose turn it is; several instances share them. */
export async function checkDueDomains(checks: DomainChecks): Promise<void> {
	const due = await claimDueDomains(checks.database);
	await Promise.all(due.map((domain) => checkDomain(checks, domain)));
}
