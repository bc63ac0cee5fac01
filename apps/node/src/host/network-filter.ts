import { type VisitorFilter, visitorRules } from "./visitor-filter.ts";

/** What containers may reach: `closed` nothing at all, `open` TCP services and name servers on the public internet. */
export type Egress = "open" | "closed";

/** Addresses that are no one's on the public internet: private, link-local (cloud metadata), shared, test, multicast. */
const notPublic = [
	"0.0.0.0/8",
	"10.0.0.0/8",
	"100.64.0.0/10",
	"127.0.0.0/8",
	"169.254.0.0/16",
	"172.16.0.0/12",
	"192.0.0.0/24",
	"192.0.2.0/24",
	"192.88.99.0/24",
	"192.168.0.0/16",
	"198.18.0.0/15",
	"198.51.100.0/24",
	"203.0.113.0/24",
	"224.0.0.0/3",
];

/**
 * The whole packet filter of a node as one script, which `nft -f` applies at once or not at all. Containers answer the
 * connections that the node opens to them; of their own they reach neither the node nor each other.
 */
export function filterScript(options: {
	bridge: string;
	subnet: string;
	egress: Egress;
	table: string;
	/** Name servers of containers; they may have private addresses, and then only answer questions of names. */
	nameServers: readonly string[];
	visitors?: VisitorFilter;
}): string {
	const { bridge, subnet, egress, table, nameServers, visitors } = options;
	const named = `ip daddr { ${nameServers.join(", ")} } meta l4proto { tcp, udp } th dport 53 accept`;
	const publicOnly = [
		`ip saddr != ${subnet} counter drop`,
		...(nameServers.length > 0 ? [named] : []),
		`ip daddr { ${notPublic.join(", ")} } counter reject with icmp type admin-prohibited`,
		"fib daddr type != unicast counter drop",
		"meta l4proto tcp accept",
		"udp dport 53 accept",
	];
	return `
table inet ${table}
delete table inet ${table}
table inet ${table} {${visitors ? visitorRules(visitors) : ""}
	chain input {
		type filter hook input priority filter - 10; policy accept;
		iifname != "${bridge}" accept
		ct state established,related accept
		meta nfproto ipv4 counter reject with icmp type admin-prohibited
		counter drop
	}
	chain forward {
		type filter hook forward priority filter - 10; policy accept;
		iifname != "${bridge}" oifname != "${bridge}" accept
		iifname != "${bridge}" ct state established,related accept
		iifname != "${bridge}" counter drop
		oifname "${bridge}" meta nfproto ipv4 counter reject with icmp type admin-prohibited
		meta nfproto != ipv4 counter drop
${(egress === "open" ? publicOnly : []).map((rule) => `\t\t${rule}`).join("\n")}
		counter reject with icmp type admin-prohibited
	}
	chain postrouting {
		type nat hook postrouting priority srcnat - 10; policy accept;
		ip saddr ${subnet} oifname != "${bridge}" masquerade
	}
}
`;
}

export function removeScript(table: string): string {
	return `table inet ${table}\ndelete table inet ${table}\n`;
}
