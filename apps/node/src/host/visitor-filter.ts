/** The edge's TCP ports, and how many connections to them one address may have. */
export interface VisitorFilter {
	/** As nftables writes them: `8080`, `80, 443, 2001-65535`. */
	ports: string;
	/** 0: no limit. */
	connections: number;
}

/**
 * Rules that hold back one address with too many connections before NGINX hears of them. NGINX counts a connection only
 * once it has read a whole request, and a slow attacker never sends one. IPv6 visitors are counted by /64.
 */
export function visitorRules({ ports, connections }: VisitorFilter): string {
	if (connections === 0) return "";
	if (!/^\d+(?:-\d+)?(?:, \d+(?:-\d+)?)*$/.test(ports) || !Number.isInteger(connections)) {
		throw new Error(`These are no ports and number of connections: ${ports}, ${connections}.`);
	}
	const over = `ct count over ${connections}`;
	const rule = (family: string, address: string) =>
		`tcp dport { ${ports} } ct state new add @${family} { ${address} ${over} } counter reject with tcp reset`;
	return `
	set visitors4 {
		type ipv4_addr; flags dynamic; size 65536;
	}
	set visitors6 {
		type ipv6_addr; flags dynamic; size 65536;
	}
	chain visitors {
		type filter hook input priority filter - 11; policy accept;
		${rule("visitors4", "ip saddr")}
		${rule("visitors6", "ip6 saddr & ffff:ffff:ffff:ffff::")}
	}
`;
}
