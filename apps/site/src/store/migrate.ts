import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import type { Database } from "./database.ts";

const migrationsDirectory = join(import.meta.dirname, "../../migrations");
/** Any fixed number; it names the lock that all site instances take before they migrate. */
const migrationLock = 7_210_001;

/**
 * Brings the schema up to date: applies each `NNNN-name.sql` that was not applied yet, in order, each in a transaction
 * of its own. Any number of instances may call it at once; repeating it is harmless.
 * @returns the files that this call applied.
 * @throws Error when the database was migrated by a newer version that knows files which this one does not have.
 */
export async function migrate(database: Database, directory = migrationsDirectory): Promise<string[]> {
	const files = (await readdir(directory)).filter((file) => /^\d{4}-[a-z0-9-]+\.sql$/.test(file)).sort();
	return database.connection().execute(async (connection) => {
		// Another instance may be at a long migration; waiting for it is not an error.
		await sql`SET statement_timeout = 0`.execute(connection);
		await sql`SELECT pg_advisory_lock(${sql.lit(migrationLock)})`.execute(connection);
		try {
			await sql`CREATE TABLE IF NOT EXISTS migrations (
				name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`.execute(connection);
			const { rows } = await sql<{ name: string }>`SELECT name FROM migrations`.execute(connection);
			const applied = new Set(rows.map((row) => row.name));
			const unknown = [...applied].filter((name) => !files.includes(name));
			if (unknown.length > 0) {
				throw new Error(
					`This database was migrated by a newer version of Repldock (${unknown.join(", ")}). Update first.`,
				);
			}
			const pending = files.filter((file) => !applied.has(file));
			for (const file of pending) {
				const text = await readFile(join(directory, file), "utf8");
				await connection.transaction().execute(async (transaction) => {
					await sql.raw(text).execute(transaction);
					await sql`INSERT INTO migrations (name) VALUES (${file})`.execute(transaction);
				});
			}
			return pending;
		} finally {
			await sql`SELECT pg_advisory_unlock(${sql.lit(migrationLock)})`.execute(connection);
			await sql`RESET statement_timeout`.execute(connection);
		}
	});
}
