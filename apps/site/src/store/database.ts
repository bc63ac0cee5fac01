import { CamelCasePlugin, Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import type { Tables } from "./tables.ts";

export type Database = Kysely<Tables>;

/** How pg reaches the database: a URL, or the directory of a unix socket as host. */
export type DatabaseAddress = { connectionString: string } | { host: string; database: string; user: string };

/** The host that the database is reached at; null by a unix socket. */
export function databaseHost(address: DatabaseAddress): string | null {
	const { host } = new pg.Client(address);
	return host.startsWith("/") ? null : host;
}

/** 64-bit integers as numbers: ours are bytes and milliseconds, far below 2^53. */
const typeParsers = new pg.TypeOverrides();
typeParsers.setTypeParser(pg.types.builtins.INT8, Number);

/**
 * Opens a pool of connections; close it with `destroy()`.
 * @param onConnectionLost a connection was lost (told more than once at times); the pool opens another when it needs one.
 */
export function openDatabase(
	address: DatabaseAddress,
	connections: number,
	onConnectionLost: (error: Error) => void,
): Database {
	const pool = new pg.Pool({
		...address,
		max: connections,
		types: typeParsers,
		connectionTimeoutMillis: 10_000,
		// No query of ours takes seconds; one that does must not hold a connection for ever.
		statement_timeout: 15_000,
		idle_in_transaction_session_timeout: 15_000,
		application_name: "repldock-site",
	});
	pool.on("error", onConnectionLost);
	// While a connection is lent out, between two queries, nobody else listens: without this its loss would end the program.
	pool.on("connect", (client) => client.on("error", onConnectionLost));
	return new Kysely<Tables>({
		dialect: new PostgresDialect({ pool }),
		plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
	});
}
