import { type AppsAddress, hostNameOf, slugOfHost } from "../domain/address.ts";
import type { Database } from "./database.ts";
import { findProject, type StoredProject } from "./projects.ts";

/**
 * The project whose app answers at a host, `name[:port]`. The one place that says which hosts are ours: tickets are
 * sent to no other.
 */
export async function findProjectByHost(
	database: Database,
	apps: AppsAddress,
	host: string,
): Promise<StoredProject | undefined> {
	const name = hostNameOf(apps, host);
	const slug = name === null ? null : slugOfHost(apps, name);
	if (slug === null) return undefined;
	const row = await database.selectFrom("projects").select("id").where("slug", "=", slug).executeTakeFirst();
	return row && findProject(database, row.id);
}
