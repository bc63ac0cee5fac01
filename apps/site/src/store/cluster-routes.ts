import type { Elsewhere } from "@repldock/protocol";
import type { Database } from "./database.ts";
import { isLive } from "./nodes.ts";
import { provedDomains } from "./placements.ts";

/** A project's node and how the edges of other nodes reach it. */
export interface PlacedRoute extends Elsewhere {
	readonly nodeId: string;
}

/** Which live node has which project, by slug; projects in the trash are nowhere. */
export async function listPlacedRoutes(database: Database): Promise<PlacedRoute[]> {
	const rows = await database
		.selectFrom("placements")
		.innerJoin("projects", "projects.id", "placements.projectId")
		.innerJoin("nodes", "nodes.id", "placements.nodeId")
		.select([
			"projects.slug",
			"placements.projectId",
			"placements.nodeId",
			"nodes.edgeAddress",
			"nodes.edgeTlsPort as peerTlsPort",
			provedDomains.as("domains"),
		])
		.where("projects.deletedAt", "is", null)
		.where(isLive)
		.orderBy("projects.slug")
		.execute();
	return rows.map(({ edgeAddress, ...row }) => ({ ...row, peer: edgeAddress === "" ? null : edgeAddress }));
}
