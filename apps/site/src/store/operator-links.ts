import { sql } from "kysely";
import type { Database } from "./database.ts";
import { digestOf, newSecret } from "./secrets.ts";
import type { OperatorLinkKind } from "./tables.ts";
import { findFirstAdministrator } from "./users.ts";

/**
 * Makes a link that works once within 24 hours: it makes the first administrator, or signs the administrator in when
 * there is one.
 */
export async function createOperatorLink(database: Database): Promise<{ token: string; kind: OperatorLinkKind }> {
	await database.deleteFrom("operatorLinks").where("expiresAt", "<", sql<Date>`now()`).execute();
	const kind = (await findFirstAdministrator(database)) ? "sign-in" : "first-administrator";
	const { secret, digest } = newSecret("");
	await database
		.insertInto("operatorLinks")
		.values({ digest, kind, expiresAt: sql<Date>`now() + interval '24 hours'` })
		.execute();
	return { token: secret, kind };
}

const usable = sql<boolean>`used_at IS NULL AND expires_at > now()
	AND (kind = 'sign-in' OR NOT EXISTS (SELECT FROM users WHERE role = 'admin'))`;

/** What a link would do; undefined when it was used, is too old, never was, or came too late to make an administrator. */
export async function findOperatorLink(database: Database, token: string): Promise<OperatorLinkKind | undefined> {
	const row = await database
		.selectFrom("operatorLinks")
		.select("kind")
		.where("digest", "=", digestOf(token))
		.where(usable)
		.executeTakeFirst();
	return row?.kind;
}

/** Uses a link up. Of several calls at once exactly one gets `true`. */
export async function claimOperatorLink(database: Database, token: string): Promise<boolean> {
	const result = await database
		.updateTable("operatorLinks")
		.set({ usedAt: sql<Date>`now()` })
		.where("digest", "=", digestOf(token))
		.where(usable)
		.executeTakeFirst();
	return result.numUpdatedRows > 0n;
}

/** Gives a claimed link back, for when what it was claimed for failed. */
export async function releaseOperatorLink(database: Database, token: string): Promise<void> {
	await database.updateTable("operatorLinks").set({ usedAt: null }).where("digest", "=", digestOf(token)).execute();
}
