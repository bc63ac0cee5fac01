/**
 * Why the filter refuses packets of a container; of each reason it counts the packets of each container, in a set whose
 * elements are made by the first packet. The words are those of RefusalReason in network/parts.ts.
 */
export const refusalReasons = {
	inet: [
		"closed",
		"not-allowed",
		"udp",
		"port",
		"private-address",
		"site",
		"node",
		"neighbour",
		"connections",
		"questions",
	],
	/** Counted by cable, since the sender's address may be a lie. */
	bridge: ["spoofed", "ipv6"],
} as const;

type Family = keyof typeof refusalReasons;

/** Names of nftables have no hyphens. */
const nameOf = (reason: string) => reason.replaceAll("-", "_");

/** The set of either table that counts the packets refused for this reason. */
export const refusalSet = (reason: string) => `refused_${nameOf(reason)}`;

export function refusalSets(family: Family): string {
	const type = family === "inet" ? "ipv4_addr" : "ifname";
	const sets = refusalReasons[family].map((reason) => {
		return `\tset ${refusalSet(reason)} {\n\t\ttype ${type}; flags dynamic; size 65536; counter;\n\t}`;
	});
	return sets.join("\n");
}

/** Programs hear of it at once: `connection refused` for TCP, `administratively prohibited` for all else. */
export function refusalChains(): string {
	const chains = refusalReasons.inet.map((reason) => {
		return `\tchain refuse_${nameOf(reason)} {
		add @${refusalSet(reason)} { ip saddr }
		meta l4proto tcp reject with tcp reset
		reject with icmp type admin-prohibited
	}`;
	});
	return chains.join("\n");
}
