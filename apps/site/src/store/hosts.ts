import { type AppsAddress, hostNameOf, slugOfHost } from "../domain/address.ts";
import type { Database } from "./database.ts";
import { findProject, type StoredProject } from "./projects.ts";

/**
 * The project whose app answers at a host, `name[:port]`, of its own or a custom domain. The one place that says which hosts are ours: tickets are
 * sent to no other.
 */
export async function findProjectByHost(
	database: Database,
	apps: AppsAddress,
	host: string,
): Promise<StoredProject | undefined> {
	const name = hostNameOf(apps, host);
	if (name === null) return undefined;
	const slug = slugOfHost(apps, name);
	const found = slug === null ? await projectShownAt(database, name) : await projectOfSlug(database, slug);
	return found && findProject(database, found.id);
}

function projectOfSlug(database: Database, slug: string): Promise<{ id: string } | undefined> {
	return database.selectFrom("projects").select("id").where("slug", "=", slug).executeTakeFirst();
}

/** By a custom domain that is proved to be the project's. */
function projectShownAt(database: Database, domain: string): Promise<{ id: string } | undefined> {
	return database
		.selectFrom("domains")
		.select("projectId as id")
		.where("name", "=", domain)
		.where("verifiedAt", "is not", null)
		.executeTakeFirst();
}
