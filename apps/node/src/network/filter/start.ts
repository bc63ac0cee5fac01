import type { Logger } from "@repldock/service";
import { forgetConnections } from "../../host/connections.ts";
import type { FilterOptions } from "../../host/network-filter.ts";
import { resolverPort } from "../../host/resolver.ts";
import type { Engine } from "../../host.ts";
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

export async function startNodeFilter(
	options: FilterOptions & { engine: Pick<Engine, "inspectContainer">; log: Logger },
): Promise<NodeFilter> {
	const { engine, log, egress, gateway } = options;
	const filter = createFilter({
		...options,
		async hardwareAddress(containerId) {
			const address = (await engine.inspectContainer(containerId))?.hardwareAddress;
			if (!address) throw new Error("the container ended before it was attached to the network");
			return address;
		},
	});
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

	/** By address: nobody waits for it but the next container that gets the address. */
	const leaving = new Map<string, Promise<void>>();

	function forget(address: string): void {
		const left = forgetConnections(address).catch((error: unknown) =>
			log.error({ err: error, address }, "connections of a container that is gone were kept"),
		);
		leaving.set(address, left);
		void left.then(() => {
			if (leaving.get(address) === left) leaving.delete(address);
		});
	}

	return {
		...filter,
		refusals,
		async attach(member: Member) {
			await leaving.get(member.address);
			await filter.attach(member);
		},
		async detach(member: Member) {
			await filter.detach(member);
			names?.forget(member.projectId);
			forget(member.address);
		},
		nameOf: (projectId, address) => names?.nameOf(projectId, address),
		nameUse: (projectId) => names?.use(projectId),
		async close() {
			await Promise.all(leaving.values());
			await names?.close();
		},
	};
}
