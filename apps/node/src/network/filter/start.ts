import type { Logger } from "@repldock/service";
import type { FilterOptions } from "../../host/network-filter.ts";
import { resolverPort } from "../../host/resolver.ts";
import type { Member } from "../parts.ts";
import { createFilter, type Filter, type Refusals } from "./filter.ts";
import type { NameUse } from "./name-memory.ts";
import { type NameServer, startNameServer } from "./name-server.ts";

/** The filter with the node's name server: what containers reach, and by which names. */
export interface NodeFilter extends Filter {
	/** The name by which this project's container last learnt the address. */
	nameOf(projectId: string, address: string): string | undefined;
	/** How a project's container asks for names, for reports of tunnels. */
	nameUse(projectId: string): NameUse | undefined;
	close(): Promise<void>;
}

export async function startNodeFilter(options: FilterOptions & { log: Logger }): Promise<NodeFilter> {
	const { log, egress, gateway } = options;
	const filter = createFilter(options);
	let names: NameServer | undefined;
	// With closed egress there is nobody to ask.
	if (egress === "open") {
		const upstream = { address: gateway, port: resolverPort };
		names = await startNameServer({ filter, address: gateway, upstream, log });
	}

	async function refusals(): Promise<Refusals> {
		const refused = await filter.refusals();
		for (const [projectId, questions] of names?.refusedNames() ?? []) {
			const counts = refused.get(projectId);
			if (counts && questions > 0) counts["not-allowed"] = (counts["not-allowed"] ?? 0) + questions;
		}
		return refused;
	}

	return {
		...filter,
		refusals,
		async detach(member: Member) {
			await filter.detach(member);
			names?.forget(member.projectId);
		},
		nameOf: (projectId, address) => names?.nameOf(projectId, address),
		nameUse: (projectId) => names?.use(projectId),
		close: async () => names?.close(),
	};
}
