import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import type { DomainTimes } from "../domain/custom-domain.ts";
import type { Database } from "./database.ts";
import { isUniqueViolation } from "./projects.ts";

/** A custom domain with its project's slug, which a proof by CNAME names. */
export interface StoredDomain extends DomainTimes {
	readonly id: string;
	readonly projectId: string;
	readonly slug: string;
	readonly name: string;
	readonly token: string;
	readonly createdAt: Date;
	readonly checkedAt: Date | null;
}

function selectDomains(database: Database) {
	return database
		.selectFrom("domains")
		.innerJoin("projects", "projects.id", "domains.projectId")
		.select([
			"domains.id",
			"domains.projectId",
			"projects.slug",
			"domains.name",
			"domains.token",
			"domains.createdAt",
			"domains.verifiedAt",
			"domains.checkedAt",
			"domains.missingSince",
		]);
}

/** A project's domains, the oldest first. */
export function listDomains(database: Database, projectId: string): Promise<StoredDomain[]> {
	return selectDomains(database)
		.where("domains.projectId", "=", projectId)
		.orderBy("domains.createdAt")
		.orderBy("domains.id")
		.execute();
}

export function findDomain(database: Database, projectId: string, id: string): Promise<StoredDomain | undefined> {
	return selectDomains(database)
		.where("domains.projectId", "=", projectId)
		.where("domains.id", "=", id)
		.executeTakeFirst();
}

/**
 * Lets a project ask for a domain, at most `most` of them.
 * @returns its id; `present` when the project has it already, `full` when it has the most.
 */
export async function addDomain(
	database: Database,
	domain: { projectId: string; name: string },
	most: number,
): Promise<{ id: string } | "present" | "full"> {
	return database.transaction().execute(async (transaction) => {
		// Two requests at once would both find room.
		await transaction
			.selectFrom("projects")
			.select("id")
			.where("id", "=", domain.projectId)
			.forUpdate()
			.executeTakeFirst();
		const own = await transaction
			.selectFrom("domains")
			.select("name")
			.where("projectId", "=", domain.projectId)
			.execute();
		if (own.some(({ name }) => name === domain.name)) return "present";
		if (own.length >= most) return "full";
		const token = `repldock-${randomBytes(16).toString("hex")}`;
		return transaction
			.insertInto("domains")
			.values({ ...domain, token })
			.returning("id")
			.executeTakeFirstOrThrow();
	});
}

/** @returns false when the project has no such domain. */
export async function removeDomain(database: Database, projectId: string, id: string): Promise<boolean> {
	const result = await database
		.deleteFrom("domains")
		.where("projectId", "=", projectId)
		.where("id", "=", id)
		.executeTakeFirst();
	return result.numDeletedRows > 0n;
}

/** Whether another project shows this domain. */
export async function isShownElsewhere(database: Database, domain: { projectId: string; name: string }) {
	const row = await database
		.selectFrom("domains")
		.select("id")
		.where("name", "=", domain.name)
		.where("projectId", "!=", domain.projectId)
		.where("verifiedAt", "is not", null)
		.executeTakeFirst();
	return row !== undefined;
}

/** Writes down what a look at DNS told. @returns `taken` when another project shows the domain. */
export async function recordCheck(database: Database, id: string, times: DomainTimes): Promise<"recorded" | "taken"> {
	try {
		await database
			.updateTable("domains")
			.set({ verifiedAt: times.verifiedAt, missingSince: times.missingSince, checkedAt: sql<Date>`now()` })
			.where("id", "=", id)
			.execute();
		return "recorded";
	} catch (error) {
		if (!isUniqueViolation(error)) throw error;
		await database.updateTable("domains").set({ checkedAt: sql<Date>`now()` }).where("id", "=", id).execute();
		return "taken";
	}
}

/** Domains looked at in one round. */
const roundSize = 50;

/**
 * Takes the domains whose turn it is: a new one is looked at every other minute for three days (people wait for it), a
 * verified one every hour. Each is given to one instance.
 */
export async function claimDueDomains(database: Database): Promise<StoredDomain[]> {
	const { rows } = await sql<{ id: string }>`
		UPDATE domains SET checked_at = now() WHERE id IN (
			SELECT id FROM domains
			WHERE (verified_at IS NOT NULL AND coalesce(checked_at, 'epoch') < now() - interval '1 hour')
				OR (verified_at IS NULL AND created_at > now() - interval '3 days'
					AND coalesce(checked_at, 'epoch') < now() - interval '2 minutes')
			ORDER BY checked_at NULLS FIRST LIMIT ${sql.lit(roundSize)} FOR UPDATE SKIP LOCKED)
		RETURNING id`.execute(database);
	if (rows.length === 0) return [];
	return selectDomains(database)
		.where(
			"domains.id",
			"in",
			rows.map(({ id }) => id),
		)
		.execute();
}
