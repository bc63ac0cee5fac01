import { createHash } from "node:crypto";
import type { NetworkPolicy } from "@repldock/protocol";
import type { Element } from "../../host/filter-tables.ts";
import type { Member } from "../parts.ts";

const chainOfMode = { open: "open", "allow-list": "allow_list", closed: "closed" } as const;

/** What the policy comes to, an operator's restriction among it. */
export function effectiveMode({ mode, restriction }: NetworkPolicy): NetworkPolicy["mode"] {
	return restriction?.kind === "closed" ? "closed" : mode;
}

/**
 * The mark of a member's connections: another one for each container and for each policy, so that no connection and no
 * opened address outlives the policy that let it out. A pure function, so that every agent finds the same.
 */
export function markOf({ containerId, policy }: Member): number {
	const mode = effectiveMode(policy);
	const domains = mode === "allow-list" ? policy.allowedDomains.toSorted() : [];
	const hash = createHash("sha256").update(JSON.stringify([containerId, mode, domains]));
	// 0 is the mark of everything that nobody marked.
	return hash.digest().readUInt32BE(0) || 1;
}

/** What keeps all members from an address of the site's. */
export const siteElement = (address: string): Element => ({ family: "inet", set: "site", key: address, value: null });

/** All that the kernel holds for one member, refusals and what its names opened aside. */
export function elementsOf(member: Member): Element[] {
	const { address, interfaceName, hardwareAddress, policy } = member;
	const mode = effectiveMode(policy);
	const mark = markOf(member);
	const inet = (set: string, key: string, value: string | null = null): Element => ({
		family: "inet",
		set,
		key,
		value,
	});
	const bridge = (set: string, key: string): Element => ({ family: "bridge", set, key, value: null });
	const port = `"${interfaceName}"`;
	return [
		bridge("cables", `${port} . ${hardwareAddress} . ${address}`),
		bridge("ports", port),
		bridge("addresses", address),
		inet("modes", address, `goto ${chainOfMode[mode]}`),
		inet("marks", address, String(mark)),
		inet("current", `${address} . ${mark}`),
		...(mode === "closed" ? [] : [inet("asks", address)]),
	];
}
