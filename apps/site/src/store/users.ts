import type { Database } from "./database.ts";
import type { Role } from "./tables.ts";

/** A person as the site knows them. */
export interface User {
	readonly id: string;
	readonly name: string;
	readonly email: string;
	readonly role: Role;
}

const userColumns = ["id", "name", "email", "role"] as const;

export async function renameUser(database: Database, id: string, name: string): Promise<void> {
	await database.updateTable("users").set({ name, updatedAt: new Date() }).where("id", "=", id).execute();
}

/** The administrator who has been one the longest; undefined before there is any. */
export async function findFirstAdministrator(database: Database): Promise<User | undefined> {
	return database
		.selectFrom("users")
		.select(userColumns)
		.where("role", "=", "admin")
		.orderBy("createdAt")
		.orderBy("id")
		.limit(1)
		.executeTakeFirst();
}

/** One page of all users with how many projects each has, oldest first, after the given one. */
export async function listUsers(
	database: Database,
	after: { createdAt: Date; id: string } | undefined,
	limit: number,
): Promise<(User & { createdAt: Date; projects: number })[]> {
	let query = database
		.selectFrom("users")
		.select((build) => [
			...userColumns,
			"createdAt",
			build
				.selectFrom("projects")
				.whereRef("projects.ownerId", "=", "users.id")
				.select((count) => count.fn.countAll<number>().as("count"))
				.as("projects"),
		])
		.orderBy("createdAt")
		.orderBy("id")
		.limit(limit);
	if (after) {
		query = query.where((build) =>
			build(build.refTuple("createdAt", "id"), ">", build.tuple(after.createdAt, after.id)),
		);
	}
	return (await query.execute()).map((row) => ({ ...row, projects: Number(row.projects) }));
}
