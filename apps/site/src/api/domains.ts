import { createRoute, z } from "@hono/zod-openapi";
import type * as protocol from "@repldock/protocol";
import { AddDomain, RepldockError } from "@repldock/protocol";
import { type CheckOutcome, checkDomain, type DomainChecks } from "../dns/check-domain.ts";
import { customUrl } from "../domain/address.ts";
import { displayName, domainState, normaliseDomain, proofRecords } from "../domain/custom-domain.ts";
import {
	addDomain,
	findDomain,
	isShownElsewhere,
	listDomains,
	removeDomain,
	type StoredDomain,
} from "../store/domains.ts";
import type { ApiParts } from "./context.ts";
import { routeGroup } from "./group.ts";
import { requireUser } from "./identity.ts";
import { findVisible } from "./project-actions.ts";
import { answers, created, Domain, done, IdParameter, jsonBody, listOf } from "./schemas.ts";

const tags = ["Domains"];
const DomainParameter = IdParameter.extend({ domainId: z.uuid() });

/** Asking for the same name again within this time answers with what the last look told. */
const leastBetweenChecksMs = 2_000;

const listRoute = createRoute({
	method: "get",
	path: "/projects/{id}/domains",
	tags,
	summary: "A project's custom domains",
	request: { params: IdParameter },
	responses: answers(listOf(Domain), "All of them, the oldest first."),
});

const addRoute = createRoute({
	method: "post",
	path: "/projects/{id}/domains",
	tags,
	summary: "Add a custom domain",
	description:
		"It shows the project as soon as one of its `records` is found in DNS, which is looked for again and again.",
	request: { params: IdParameter, ...jsonBody(AddDomain) },
	responses: created(Domain, "The domain, waiting for its proof."),
});

const verifyRoute = createRoute({
	method: "post",
	path: "/projects/{id}/domains/{domainId}/verify",
	tags,
	summary: "Look for a custom domain's proof now",
	request: { params: DomainParameter },
	responses: answers(Domain, "The domain after the look."),
});

const removeRoute = createRoute({
	method: "delete",
	path: "/projects/{id}/domains/{domainId}",
	tags,
	summary: "Take a custom domain away from a project",
	request: { params: DomainParameter },
	responses: done("It does not show the project any more."),
});

export function domainRoutes(parts: ApiParts) {
	const { database, apps } = parts;
	const own = { siteHost: new URL(parts.siteUrl).hostname, appsDomain: apps.domain };
	const checks: DomainChecks = { ...parts, graceMs: parts.domainGraceMs };

	function toApi(domain: StoredDomain, problem: string | null): protocol.Domain {
		const { id, name, missingSince } = domain;
		return {
			id,
			name,
			displayName: displayName(name),
			url: customUrl(apps, name),
			state: domainState(domain),
			records: proofRecords(name, domain.token, domain.slug, apps),
			problem,
			createdAt: domain.createdAt.toISOString(),
			checkedAt: domain.checkedAt?.toISOString() ?? null,
			verifiedAt: domain.verifiedAt?.toISOString() ?? null,
			removedAt: missingSince && new Date(missingSince.getTime() + parts.domainGraceMs).toISOString(),
		};
	}

	/** What is in the way, as far as it is known without a look at DNS. */
	async function describe(domain: StoredDomain, outcome?: CheckOutcome): Promise<protocol.Domain> {
		if (outcome === "unknown") return toApi(domain, "The name servers did not answer. Try again in a minute.");
		if (!domain.verifiedAt && (outcome === "taken" || (await isShownElsewhere(database, domain)))) {
			return toApi(
				domain,
				"Another project shows this domain. Remove it there, or remove that project's proof from DNS.",
			);
		}
		if (domain.checkedAt === null || domainState(domain) === "ready") return toApi(domain, null);
		return toApi(
			domain,
			domain.verifiedAt
				? "The proof is no longer in DNS. Set one of the records again to keep the domain."
				: "Neither record is in DNS yet. New records may take some minutes, sometimes hours.",
		);
	}

	async function find(projectId: string, domainId: string): Promise<StoredDomain> {
		const domain = await findDomain(database, projectId, domainId);
		if (!domain) throw new RepldockError("not_found", "This project has no such domain.");
		return domain;
	}

	return routeGroup()
		.openapi(listRoute, async (context) => {
			const { id } = context.req.valid("param");
			await findVisible(parts, id, requireUser(context), "edit");
			const domains = await listDomains(database, id);
			return context.json(
				{ items: await Promise.all(domains.map((domain) => describe(domain))), nextCursor: null },
				200,
			);
		})
		.openapi(addRoute, async (context) => {
			const { id } = context.req.valid("param");
			await findVisible(parts, id, requireUser(context), "edit");
			const name = normaliseDomain(context.req.valid("json").name, own);
			const added = await addDomain(database, { projectId: id, name }, parts.domainsPerProject);
			if (added === "present") {
				const sentence = "This project has this domain already.";
				throw new RepldockError("already_exists", sentence, { fields: { name: sentence } });
			}
			if (added === "full") {
				throw new RepldockError(
					"limit_reached",
					`A project has at most ${parts.domainsPerProject} domains. Remove one first.`,
				);
			}
			return context.json(await describe(await find(id, added.id)), 201);
		})
		.openapi(verifyRoute, async (context) => {
			const { id, domainId } = context.req.valid("param");
			await findVisible(parts, id, requireUser(context), "edit");
			const domain = await find(id, domainId);
			if (domain.checkedAt && Date.now() - domain.checkedAt.getTime() < leastBetweenChecksMs) {
				return context.json(await describe(domain), 200);
			}
			const outcome = await checkDomain(checks, domain);
			return context.json(await describe(await find(id, domainId), outcome), 200);
		})
		.openapi(removeRoute, async (context) => {
			const { id, domainId } = context.req.valid("param");
			await findVisible(parts, id, requireUser(context), "edit");
			if (!(await removeDomain(database, id, domainId))) await find(id, domainId);
			return context.body(null, 204);
		});
}
