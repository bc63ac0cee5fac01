import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { runCommand } from "@repldock/service";
import { prepareCluster, programDirectory } from "../machine/postgres.ts";
import type { Settings } from "../settings.ts";
import { type DatabaseKeywords, parseDatabaseUrl, serviceFile } from "./database-address.ts";

const hourMs = 3_600_000;

/**
 * Does something with the instance's database: the operator's own, or the private cluster, which is started for that
 * long when it does not run.
 */
export async function withDatabase<T>(settings: Settings, act: (database: DatabaseKeywords) => Promise<T>): Promise<T> {
	const own = settings.environment.DATABASE_URL;
	if (own) return act(parseDatabaseUrl(own));
	const cluster = await prepareCluster(settings.data, settings.run, settings.systemUser);
	const keywords = { host: cluster.socketDirectory, user: "repldock", dbname: "repldock" };
	if (await cluster.isReady()) return act(keywords);

	// Ctrl-C is for this program, which then ends the server in order; if it is killed, the kernel sees to that.
	const asPostgres = ["--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig=INT"];
	const server = spawn("setpriv", [...asPostgres, cluster.program, ...cluster.arguments], {
		cwd: "/",
		detached: true,
		stdio: ["ignore", "ignore", "pipe"],
		env: { PATH: process.env.PATH ?? "/usr/bin:/bin", LANG: "C.UTF-8" },
	});
	let said = "";
	server.stderr.on("data", (chunk: Buffer) => {
		said = (said + chunk.toString()).slice(-4000);
	});
	const ended = once(server, "exit");
	const finish = async () => {
		if (server.exitCode === null && server.signalCode === null) server.kill("SIGINT");
		await ended;
	};
	try {
		while (!(await cluster.isReady())) {
			if (server.exitCode !== null || server.signalCode !== null) throw new Error(`PostgreSQL did not start:\n${said}`);
			await wait(50);
		}
		await cluster.createDatabase();
		return await act(keywords);
	} finally {
		await finish();
	}
}

/** Calls with the environment in which the programs of PostgreSQL find the database as service `repldock`. */
async function withService<T>(
	database: DatabaseKeywords,
	act: (environment: Record<string, string>) => Promise<T>,
): Promise<T> {
	const directory = await mkdtemp(join(tmpdir(), "repldock-database-"));
	// It may hold a password, and who is interrupted waits for nothing.
	const forget = () => rmSync(directory, { recursive: true, force: true });
	process.once("exit", forget);
	try {
		const file = join(directory, "service");
		await writeFile(file, serviceFile(database), { mode: 0o600 });
		return await act({ PGSERVICEFILE: file });
	} finally {
		process.off("exit", forget);
		forget();
	}
}

/** Hands over a dump in PostgreSQL's custom format as it is made; the stream fails when the dump does. */
export function dumpDatabase<T>(database: DatabaseKeywords, take: (dump: Readable) => Promise<T>): Promise<T> {
	return withService(database, async (environment) => {
		const program = join(await programDirectory(), "pg_dump");
		const child = spawn(program, ["--format=custom", "--no-owner", "--no-privileges", "--dbname=service=repldock"], {
			cwd: "/",
			stdio: ["ignore", "pipe", "pipe"],
			env: { ...process.env, LC_ALL: "C", ...environment },
		});
		const ended = once(child, "close");
		// Told again by `ended`, which whoever reads the dump waits for.
		ended.catch(() => undefined);
		let said = "";
		child.stderr.on("data", (chunk: Buffer) => {
			said = (said + chunk.toString()).slice(-4000);
		});
		async function* dump() {
			yield* child.stdout;
			const [code] = await ended;
			// A dump that broke off must never look like a whole one.
			if (code !== 0) throw new Error(`The database could not be dumped: ${said.trim()}`);
		}
		try {
			return await take(Readable.from(dump(), { objectMode: false }));
		} finally {
			child.kill();
		}
	});
}

/** Fills an empty database from a dump: wholly or not at all. */
export function loadDatabase(database: DatabaseKeywords, file: string): Promise<void> {
	return withService(database, async (environment) => {
		const commandArguments = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"];
		await runCommand(
			join(await programDirectory(), "pg_restore"),
			[...commandArguments, "--dbname=service=repldock", file],
			{ environment, timeoutMs: hourMs, directory: "/" },
		);
	});
}

/** @throws Error when a backup would be mixed with what is there already. */
export async function assertEmptyDatabase(database: DatabaseKeywords): Promise<void> {
	const count = await ask(database, "select count(*) from pg_catalog.pg_tables where schemaname = 'public'");
	if (count.trim() !== "0") throw new Error("The database of DATABASE_URL is not empty. Restore into an empty one.");
}

/**
 * A database that is as it was once does not know what was stored since, nor whether it was of use: nothing of that may be
 * removed, until `rebuild-index` has looked at it.
 */
export async function distrustIndex(database: DatabaseKeywords): Promise<void> {
	const isThere = await ask(database, "select to_regclass('object_index') is not null");
	if (isThere.trim() === "t") await ask(database, "update object_index set knows_since = now()");
}

function ask(database: DatabaseKeywords, sql: string): Promise<string> {
	return withService(database, async (environment) =>
		runCommand(join(await programDirectory(), "psql"), ["-AtXqc", sql, "--dbname=service=repldock"], {
			environment,
			directory: "/",
		}),
	);
}
