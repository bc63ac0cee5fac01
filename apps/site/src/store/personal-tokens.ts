import { sql } from "kysely";
import type { Database } from "./database.ts";
import { digestOf, newSecret } from "./secrets.ts";
import type { User } from "./users.ts";

export const personalTokenPrefix = "rd_";

export interface PersonalToken {
	readonly id: string;
	readonly name: string;
	readonly createdAt: Date;
	readonly lastUsedAt: Date | null;
}

const tokenColumns = ["id", "name", "createdAt", "lastUsedAt"] as const;

/** @returns the row and, this once, the token itself. */
export async function createPersonalToken(
	database: Database,
	userId: string,
	name: string,
): Promise<PersonalToken & { token: string }> {
	const { secret, digest } = newSecret(personalTokenPrefix);
	const row = await database
		.insertInto("personalTokens")
		.values({ userId, name, digest })
		.returning(tokenColumns)
		.executeTakeFirstOrThrow();
	return { ...row, token: secret };
}

export async function listPersonalTokens(database: Database, userId: string): Promise<PersonalToken[]> {
	return database
		.selectFrom("personalTokens")
		.select(tokenColumns)
		.where("userId", "=", userId)
		.orderBy("createdAt", "desc")
		.orderBy("id")
		.execute();
}

/** @returns false when the user has no such token. */
export async function deletePersonalToken(database: Database, userId: string, id: string): Promise<boolean> {
	const result = await database
		.deleteFrom("personalTokens")
		.where("id", "=", id)
		.where("userId", "=", userId)
		.executeTakeFirst();
	return result.numDeletedRows > 0n;
}

/** Whose token this is; undefined when it is nobody's. Notes its use, at most once a minute. */
export async function findUserByToken(database: Database, token: string): Promise<User | undefined> {
	const digest = digestOf(token);
	const row = await database
		.selectFrom("personalTokens")
		.innerJoin("users", "users.id", "personalTokens.userId")
		.select(["users.id", "users.name", "users.email", "users.role", "personalTokens.lastUsedAt"])
		.where("digest", "=", digest)
		.executeTakeFirst();
	if (!row) return undefined;
	const { lastUsedAt, ...user } = row;
	if (!lastUsedAt || Date.now() - lastUsedAt.getTime() > 60_000) {
		await database
			.updateTable("personalTokens")
			.set({ lastUsedAt: sql<Date>`now()` })
			.where("digest", "=", digest)
			.execute();
	}
	return user;
}
