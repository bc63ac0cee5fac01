import { refusalChains, refusalSets } from "./network-refusals.ts";
import { type VisitorFilter, visitorRules } from "./visitor-filter.ts";

/** What containers may reach: `closed` nothing at all, `open` what their project's policy says. */
export type Egress = "open" | "closed";

/** What an operator decides of the way out, for all containers of the node. */
export interface EgressRules {
	/** TCP ports that nobody reaches. */
	refusedPorts: readonly number[];
	/** IPv4 networks that nobody reaches, beside those that are not the public internet's. */
	refusedNetworks: readonly string[];
	/** IPv4 networks that are reached although they are not the public internet's. */
	allowedNetworks: readonly string[];
	/** Connections that one container may have at once, and new ones a second. */
	connections: number;
	connectionsPerSecond: number;
	/** Questions for names that one container may ask a second; two seconds' worth at once. */
	questionsPerSecond: number;
}

export const defaultRules: EgressRules = {
	refusedPorts: [22, 25, 465, 587],
	refusedNetworks: [],
	allowedNetworks: [],
	connections: 2_000,
	connectionsPerSecond: 100,
	questionsPerSecond: 50,
};

export interface FilterOptions {
	bridge: string;
	subnet: string;
	/** The node's address on the bridge, where containers ask for names. */
	gateway: string;
	egress: Egress;
	/** Name of two nftables tables, of the families inet and bridge. */
	table: string;
	rules: EgressRules;
	/** Users of the machine whose programs may open connections to containers: the agent's and the edge's. */
	reachedBy: readonly number[];
	visitors?: VisitorFilter;
}

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

/** Room for the addresses that allow-lists open, all members' together. */
const openedSize = 262_144;
const membersSize = 65_536;
const siteSize = 1_024;

/**
 * The whole packet filter of a node without its members, as one script, which `nft -f` applies at once or not at all.
 * Members are elements of its sets and maps (filter-elements.ts), so that one more costs the same whatever their number.
 * Who is in none of them reaches nothing.
 */
export function filterScript(options: FilterOptions): string {
	const { bridge, subnet, egress, table, visitors } = options;
	return `
${removeScript(table)}
${cableTable(options)}
table inet ${table} {${visitors ? visitorRules(visitors) : ""}${memberSets(options)}
${refusalSets("inet")}
${refusalChains()}
${policyChains(options)}
${inputChain(options)}
	chain output {
		type filter hook output priority filter - 10; policy accept;
		oifname != "${bridge}" accept
		ct state new meta skuid != { ${options.reachedBy.join(", ")} } counter reject
	}
	chain forward {
		type filter hook forward priority filter - 10; policy accept;
		iifname != "${bridge}" oifname != "${bridge}" accept
		iifname != "${bridge}" ct state established,related accept
		iifname != "${bridge}" counter drop
		meta nfproto != ipv4 counter drop
		ip saddr != ${subnet} counter drop
		oifname "${bridge}" goto refuse_neighbour
		ct state invalid counter drop
${egress === "open" ? "\t\tip daddr @site goto decide\n\t\tip saddr . ct mark @current accept\n\t\tct state related accept\n\t\tgoto decide" : "\t\tgoto refuse_closed"}
	}
	chain postrouting {
		type nat hook postrouting priority srcnat - 10; policy accept;
		ip saddr ${subnet} oifname != "${bridge}" masquerade
	}
}
`;
}

export function removeScript(table: string): string {
	return ["inet", "bridge"].map((family) => `table ${family} ${table}\ndelete table ${family} ${table}\n`).join("");
}

/**
 * At the bridge's ports, before anything else sees a frame: each cable carries its own container's addresses alone.
 * A cable that is not a member's yet may answer the node, but never with the address of a member.
 */
function cableTable({ table }: FilterOptions): string {
	return `table bridge ${table} {
	set cables {
		type ifname . ether_addr . ipv4_addr; size ${membersSize};
	}
	set ports {
		type ifname; size ${membersSize};
	}
	set addresses {
		type ipv4_addr; size ${membersSize};
	}
${refusalSets("bridge")}
	chain prerouting {
		type filter hook prerouting priority dstnat; policy accept;
		iifname . ether saddr . ip saddr @cables accept
		iifname . ether saddr . arp saddr ip @cables accept
		iifname @ports meta protocol ip6 goto refuse_ipv6
		iifname @ports goto refuse_spoofed
		ip saddr @addresses counter drop
		arp saddr ip @addresses counter drop
	}
	chain refuse_ipv6 {
		add @refused_ipv6 { iifname }
		drop
	}
	chain refuse_spoofed {
		add @refused_spoofed { iifname }
		drop
	}
}`;
}

function memberSets({ rules }: FilterOptions): string {
	const refused = minimal([...notPublic, ...rules.refusedNetworks]);
	return `
	map modes {
		type ipv4_addr : verdict; size ${membersSize};
	}
	set asks {
		type ipv4_addr; size ${membersSize};
	}
	set site {
		type ipv4_addr; size ${siteSize};
	}
	map marks {
		type ipv4_addr : mark; size ${membersSize};
	}
	set current {
		type ipv4_addr . mark; size ${membersSize};
	}
	set opened {
		type ipv4_addr . mark . ipv4_addr; flags timeout; size ${openedSize};
	}
	set connected {
		type ipv4_addr; flags dynamic; size ${membersSize};
	}
	set connecting {
		type ipv4_addr; flags dynamic,timeout; timeout 1m; size ${membersSize};
	}
	set asking {
		type ipv4_addr; flags dynamic,timeout; timeout 1m; size ${membersSize};
	}
	${networkSet("refused_networks", refused)}
	${networkSet("forbidden_networks", minimal(rules.refusedNetworks))}
	${networkSet("allowed_networks", minimal(rules.allowedNetworks))}
	set refused_ports {
		type inet_service; flags interval;${elements(rules.refusedPorts.map(String))}
	}`;
}

function networkSet(name: string, networks: readonly string[]): string {
	return `set ${name} {
		type ipv4_addr; flags interval; auto-merge;${elements(networks)}
	}`;
}

const elements = (list: readonly string[]) => (list.length > 0 ? ` elements = { ${list.join(", ")} };` : "");
const minimal = (list: readonly string[]) => [...new Set(list)];

/**
 * A packet carries its member's mark while the rules look at it. The connection keeps the mark under which it was let
 * out; after a change of policy the member has another one, and each of its connections is judged anew. So is whatever goes
 * to the site, whose addresses may have become known after the connection was made.
 */
function policyChains({ rules }: FilterOptions): string {
	return `
	chain decide {
		meta mark set ip saddr map @marks
		ip saddr vmap @modes
		goto refuse_closed
	}
	chain closed {
		goto refuse_closed
	}
	chain allow_list {
		ip saddr . meta mark . ip daddr @opened goto open
		meta l4proto != tcp goto refuse_udp
		goto refuse_not_allowed
	}
	chain open {
		ip daddr @site goto refuse_site
		ip daddr @forbidden_networks goto refuse_private_address
		ip daddr @allowed_networks goto transport
		ip daddr @refused_networks goto refuse_private_address
		fib daddr type != unicast goto refuse_private_address
		goto transport
	}
	chain transport {
		meta l4proto != tcp goto refuse_udp
		tcp dport @refused_ports goto refuse_port
		ct state new update @connecting { ip saddr limit rate over ${rules.connectionsPerSecond}/second burst ${2 * rules.connectionsPerSecond} packets } goto refuse_connections
		ct state new add @connected { ip saddr ct count over ${rules.connections} } goto refuse_connections
		ct mark set meta mark
		meta mark set 0
		accept
	}
	chain questions {
		ip saddr != @asks goto refuse_closed
		update @asking { ip saddr limit rate over ${rules.questionsPerSecond}/second burst ${2 * rules.questionsPerSecond} packets } goto refuse_questions
		accept
	}`;
}

/** From containers to the node itself: answers to what the node asked, and questions for names. */
function inputChain({ bridge, gateway, egress }: FilterOptions): string {
	const names = `ip daddr ${gateway} meta l4proto { tcp, udp } th dport 53 goto questions`;
	return `
	chain input {
		type filter hook input priority filter - 10; policy accept;
		iifname != "${bridge}" accept
		meta nfproto != ipv4 counter drop
		ct direction reply accept
		ct state related accept${egress === "open" ? `\n\t\t${names}` : ""}
		goto refuse_node
	}`;
}
