import { Resolver as NodeResolver } from "node:dns/promises";

/** Looks names up. A name that does not exist, or has no such record, has none; other failures are thrown. */
export interface Resolver {
	/** The texts of the TXT records, their parts joined. */
	txt(name: string): Promise<string[]>;
	/** Where the name is an alias to. */
	cname(name: string): Promise<string[]>;
}

const timeoutMs = 3_000;

/** @param servers addresses of name servers, with a port where it is not 53; the machine's own when there are none. */
export function createResolver(servers: readonly string[]): Resolver {
	const resolver = new NodeResolver({ timeout: timeoutMs, tries: 2 });
	if (servers.length > 0) resolver.setServers(servers);
	return {
		txt: (name) => orNone(resolver.resolveTxt(name)).then((records) => records.map((parts) => parts.join(""))),
		cname: (name) => orNone(resolver.resolveCname(name)),
	};
}

async function orNone<Item>(answer: Promise<Item[]>): Promise<Item[]> {
	try {
		return await answer;
	} catch (error) {
		const code = error instanceof Error && "code" in error ? error.code : undefined;
		if (code === "ENOTFOUND" || code === "ENODATA") return [];
		throw error;
	}
}
