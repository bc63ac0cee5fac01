import { z } from "zod";

/** What programs of a container may reach: TCP on the internet, the names of a list alone, or nothing. */
export const NetworkMode = z.enum(["open", "allow-list", "closed"]);
export type NetworkMode = z.infer<typeof NetworkMode>;

/** A domain whose addresses an allow-list opens; `*.example.org` means all names below it. Small letters, punycode. */
export const AllowedDomain = z
	.string()
	.max(253)
	.regex(
		/^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$/,
		"Write a domain such as example.org, or *.example.org for all names below it.",
	);

/** What an operator did to one project's network, and why; its owner sees it and can answer. */
export const NetworkRestriction = z.object({
	kind: z.enum(["throttled", "closed"]),
	/** The most that it may send, for `throttled`. */
	bitsPerSecond: z.int().positive().nullable(),
	reason: z.string(),
});
export type NetworkRestriction = z.infer<typeof NetworkRestriction>;

/** A project's part of its node's network, as the site wants it. */
export const NetworkPolicy = z.object({
	mode: NetworkMode,
	/** Used in mode `allow-list`. */
	allowedDomains: z.array(AllowedDomain).max(200),
	/** The most that it may send, by its plan; null: as much as the node's uplink carries. */
	egressBitsPerSecond: z.int().positive().nullable(),
	restriction: NetworkRestriction.nullable(),
});
export type NetworkPolicy = z.infer<typeof NetworkPolicy>;

export const openNetwork: NetworkPolicy = {
	mode: "open",
	allowedDomains: [],
	egressBitsPerSecond: null,
	restriction: null,
};

/** What a project's owner decides of its network, and what an operator did to it. */
export const NetworkSettings = NetworkPolicy.pick({ mode: true, allowedDomains: true, restriction: true });
export type NetworkSettings = z.infer<typeof NetworkSettings>;

export const UpdateNetwork = z
	.object({ mode: NetworkMode, allowedDomains: NetworkPolicy.shape.allowedDomains })
	.partial()
	.refine((change) => Object.keys(change).length > 0, "Say what to change.");
export type UpdateNetwork = z.infer<typeof UpdateNetwork>;
