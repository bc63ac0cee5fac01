import { z } from "zod";

/**
 * A custom domain's way: `waiting` for its proof in DNS, `ready`, or `losing` when a proof that was there is gone and
 * the domain is still shown until `removedAt`.
 */
export const DomainState = z.enum(["waiting", "ready", "losing"]);
export type DomainState = z.infer<typeof DomainState>;

const DnsRecord = z.object({ type: z.enum(["CNAME", "TXT"]), name: z.string(), value: z.string() });

/** A host name of a person's own that shows a project. Times are ISO 8601. */
export const Domain = z.object({
	id: z.uuid(),
	/** Small letters, punycode. */
	name: z.string(),
	/** As people write it. */
	displayName: z.string(),
	/** Where the app is under this name. */
	url: z.string(),
	state: DomainState,
	/** One of these records proves the domain; the CNAME also leads visitors here. */
	records: z.array(DnsRecord),
	/** Why it is not ready, as far as the last look at DNS told; null when all is well or nobody has looked yet. */
	problem: z.string().nullable(),
	createdAt: z.string(),
	checkedAt: z.string().nullable(),
	verifiedAt: z.string().nullable(),
	removedAt: z.string().nullable(),
});
export type Domain = z.infer<typeof Domain>;

export const AddDomain = z.object({ name: z.string().trim().min(1, "Write a domain.").max(300) });
