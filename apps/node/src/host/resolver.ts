import { writeFile } from "node:fs/promises";

/** Beside the port of names, at the same address: the filter lets no container reach it. */
export const resolverPort = 54;

export interface ResolverOptions {
	/** The node's address on the bridge. */
	address: string;
	/** Servers that it asks, the machine's own. */
	nameServers: readonly string[];
	/** Its configuration is written here. */
	configFile: string;
	/** The unprivileged user that it runs as. */
	user: string;
}

/** Writes dnsmasq's configuration. With no servers to ask, every name is unknown. */
export async function prepareResolver(options: ResolverOptions): Promise<void> {
	const { address, nameServers, configFile, user } = options;
	const lines = [
		`listen-address=${address}`,
		`port=${resolverPort}`,
		"bind-interfaces",
		"no-hosts",
		"no-resolv",
		"no-poll",
		...nameServers.map((server) => `server=${server}`),
		// A name of a stranger's must not lead to an address of the machine's own network.
		"stop-dns-rebind",
		"domain-needed",
		"bogus-priv",
		"cache-size=10000",
		"dns-forward-max=1000",
		// Answers that change with each question are of no use to anybody else.
		"max-ttl=86400",
		`user=${user}`,
		"pid-file",
		"log-facility=-",
	];
	await writeFile(configFile, `${lines.join("\n")}\n`, { mode: 0o644 });
}

export function resolverProgram({ configFile }: ResolverOptions): { program: string; arguments: string[] } {
	return { program: "dnsmasq", arguments: ["--keep-in-foreground", `--conf-file=${configFile}`] };
}
