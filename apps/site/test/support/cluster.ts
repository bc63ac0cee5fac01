import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";

/** A real PostgreSQL of the test's own: a throw-away directory, a unix socket, no TCP port. */
export interface Cluster {
	readonly socketDirectory: string;
	createDatabase(name: string): Promise<void>;
	/** A connection of the test's own, to look behind the site's back. */
	query(database: string, text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
	/** Ends all connections to a database at once, as a restart of PostgreSQL would. */
	dropConnections(database: string): Promise<void>;
	/** kill -9, and a new server on what the old one left. */
	crash(): Promise<void>;
	stop(): Promise<void>;
}

async function programsDirectory(): Promise<string> {
	const versions = (await readdir("/usr/lib/postgresql")).map(Number).sort((one, other) => other - one);
	return `/usr/lib/postgresql/${versions[0]}/bin`;
}

/** PostgreSQL refuses to run as root. */
function unprivilegedUser(): { uid: number; gid: number } | undefined {
	if (process.getuid?.() !== 0) return undefined;
	const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
	return { uid: id("-u"), gid: id("-g") };
}

export async function startCluster(): Promise<Cluster> {
	const programs = await programsDirectory();
	const user = unprivilegedUser();
	const directory = await mkdtemp(join(tmpdir(), "repldock-pg-"));
	if (user) chownSync(directory, user.uid, user.gid);
	const data = join(directory, "data");
	const initdbArguments = [
		"-D",
		data,
		"-U",
		"repldock",
		"--auth=trust",
		"--encoding=UTF8",
		"--locale=C.UTF-8",
		"--no-sync",
	];
	execFileSync(join(programs, "initdb"), initdbArguments, { ...user, cwd: directory, stdio: "pipe" });

	const settings = ["listen_addresses=", `unix_socket_directories=${directory}`, "fsync=off", "max_connections=200"];
	const start = () =>
		spawn(join(programs, "postgres"), ["-D", data, ...settings.flatMap((setting) => ["-c", setting])], {
			...user,
			cwd: directory,
			stdio: ["ignore", "ignore", "pipe"],
		});
	let server = start();
	await ready(server);

	async function query(database: string, text: string, values: unknown[] = []) {
		const client = new pg.Client({ host: directory, database, user: "repldock" });
		await client.connect();
		try {
			return (await client.query<Record<string, unknown>>(text, values)).rows;
		} finally {
			await client.end();
		}
	}

	return {
		socketDirectory: directory,
		async createDatabase(name) {
			await query("postgres", `CREATE DATABASE ${pg.escapeIdentifier(name)}`);
		},
		query,
		async dropConnections(database) {
			await query("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", [database]);
		},
		async crash() {
			const ended = once(server, "exit");
			server.kill("SIGKILL");
			await ended;
			// Connections' own processes notice a moment later, and until then a new server refuses the directory.
			const giveUp = AbortSignal.timeout(20_000);
			for (;;) {
				server = start();
				try {
					return await ready(server);
				} catch (error) {
					if (giveUp.aborted) throw error;
					await delay(20);
				}
			}
		},
		async stop() {
			const ended = new Promise((resolve) => server.once("exit", resolve));
			server.kill("SIGINT");
			await ended;
			await rm(directory, { recursive: true, force: true });
		},
	};
}

async function ready(server: ChildProcess): Promise<void> {
	if (!server.stderr) throw new Error("PostgreSQL has no standard error.");
	const said: string[] = [];
	await new Promise<void>((resolve, reject) => {
		if (!server.stderr) return;
		createInterface({ input: server.stderr }).on("line", (line) => {
			said.push(line);
			if (line.includes("ready to accept connections")) resolve();
		});
		server.once("exit", () => reject(new Error(`PostgreSQL ended:\n${said.join("\n")}`)));
	});
}
