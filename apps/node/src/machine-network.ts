import { readFile } from "node:fs/promises";
import { isIPv4 } from "node:net";
import { join } from "node:path";
import { runCommand } from "@repldock/service";
import { z } from "zod";
import type { NodeConfig, NodePaths } from "./config.ts";
import { egressRules } from "./config-egress.ts";
import { firstAppPort } from "./host/apps-address.ts";
import type { FilterOptions } from "./host/network-filter.ts";
import { prepareResolver, resolverPort, resolverProgram } from "./host/resolver.ts";
import { gatewayAddress } from "./host/subnet.ts";

/** The node's network; the agent mends it by the same description as it was made by. */
export async function networkOptions(config: NodeConfig, paths: NodePaths, subnet: string): Promise<FilterOptions> {
	return {
		bridge: paths.bridge,
		subnet,
		gateway: gatewayAddress(subnet),
		egress: config.egress,
		table: paths.table,
		rules: egressRules(config),
		reachedBy: [0, await userId(config.systemUser)],
		visitors: { ports: visitedPorts(config), connections: config.visitorConnections },
	};
}

async function userId(name: string): Promise<number> {
	return z.coerce
		.number()
		.int()
		.parse((await runCommand("id", ["-u", name])).trim());
}

/** Those of the edge; with an address for the apps, all that it brings to the edge. */
function visitedPorts({ httpPort, httpsPort, appsAddress }: NodeConfig): string {
	const own = [httpPort, ...(httpsPort === undefined ? [] : [httpsPort])];
	if (appsAddress === undefined) return own.join(", ");
	const below = [...own, 80, 443].filter((port) => port < firstAppPort);
	return [...new Set(below), `${firstAppPort}-65535`].join(", ");
}

export interface ResolverPlan {
	program: string;
	arguments: string[];
	address: string;
	port: number;
}

/** The resolver behind the agent's name server (network/filter/name-server.ts). */
export async function prepareNames(config: NodeConfig, paths: NodePaths, subnet: string): Promise<ResolverPlan | null> {
	if (config.egress === "closed") return null;
	const address = gatewayAddress(subnet);
	const options = {
		address,
		nameServers: await nameServers(),
		configFile: join(paths.data, "resolver.conf"),
		user: config.systemUser,
	};
	await prepareResolver(options);
	return { ...resolverProgram(options), address, port: resolverPort };
}

/** The machine's name servers. */
async function nameServers(): Promise<string[]> {
	const text = await readFile("/etc/resolv.conf", "utf8").catch(() => "");
	const servers = [...text.matchAll(/^nameserver\s+([\d.]+)/gm)].flatMap(([, address]) => address ?? []);
	return servers.filter((address) => isIPv4(address));
}
