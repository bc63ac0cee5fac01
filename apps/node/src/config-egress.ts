import { type Config, parse } from "@repldock/service";
import { defaultRules, type EgressRules } from "./host/network-filter.ts";
import { requireSubnet } from "./host/subnet.ts";

function parseNetworks(text: string): string[] {
	return parse.list(text).map(requireSubnet);
}

function parsePorts(text: string): number[] {
	return parse.list(text).map(parse.integer(1, 65_535));
}

/** What an operator decides of the containers' way out; projects choose less by themselves. */
export const egressOptions = {
	egressPortsRefused: {
		variable: "REPLDOCK_EGRESS_PORTS_REFUSED",
		fallback: defaultRules.refusedPorts.join(","),
		parse: parsePorts,
		description: "TCP ports that containers never reach, with commas between them: SSH and mail by default.",
	},
	egressNetworksRefused: {
		variable: "REPLDOCK_EGRESS_NETWORKS_REFUSED",
		fallback: "",
		parse: parseNetworks,
		description:
			"IPv4 networks or addresses that containers never reach, with commas between them: whatever of yours is on the public internet. All private ranges are refused already, and so are the addresses of the site and its database (REPLDOCK_EGRESS_SITE).",
	},
	egressNetworksAllowed: {
		variable: "REPLDOCK_EGRESS_NETWORKS_ALLOWED",
		fallback: "",
		parse: parseNetworks,
		description:
			"IPv4 networks that containers reach although they are private, with commas between them, for example a package mirror of your own.",
	},
	egressSite: {
		variable: "REPLDOCK_EGRESS_SITE",
		fallback: "refused",
		parse: parse.oneOf("refused", "as-others"),
		description:
			"Whether containers are kept from all addresses of the site and of its database, which the node finds out by itself, even where REPLDOCK_EGRESS_NETWORKS_ALLOWED names them. `as-others` for a site behind a content network whose addresses it shares with strangers.",
	},
	egressConnections: {
		variable: "REPLDOCK_EGRESS_CONNECTIONS",
		fallback: String(defaultRules.connections),
		parse: parse.integer(1, 65_535),
		description: "Outgoing connections that one container may have at once.",
	},
	egressConnectionsPerSecond: {
		variable: "REPLDOCK_EGRESS_CONNECTIONS_PER_SECOND",
		fallback: String(defaultRules.connectionsPerSecond),
		parse: parse.integer(1, 10_000),
		description: "Outgoing connections that one container may open a second, two seconds' worth at once.",
	},
	egressQuestionsPerSecond: {
		variable: "REPLDOCK_EGRESS_QUESTIONS_PER_SECOND",
		fallback: String(defaultRules.questionsPerSecond),
		parse: parse.integer(1, 10_000),
		description: "Questions for names that one container may ask a second, two seconds' worth at once.",
	},
} as const;

export function egressRules(config: Config<typeof egressOptions>): EgressRules {
	return {
		refusedPorts: config.egressPortsRefused,
		refusedNetworks: config.egressNetworksRefused,
		allowedNetworks: config.egressNetworksAllowed,
		connections: config.egressConnections,
		connectionsPerSecond: config.egressConnectionsPerSecond,
		questionsPerSecond: config.egressQuestionsPerSecond,
	};
}
