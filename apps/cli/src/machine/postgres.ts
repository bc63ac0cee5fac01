import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "@repldock/service";
import { chownTo, systemUser } from "./users.ts";

/** The directory of the newest PostgreSQL that Debian installed. @throws Error when there is none. */
export async function programDirectory(): Promise<string> {
	const root = "/usr/lib/postgresql";
	const versions = existsSync(root) ? await readdir(root) : [];
	const newest = versions.map(Number).sort((a, b) => b - a)[0];
	if (!newest) throw new Error("PostgreSQL is not installed. Run: ./repldock doctor");
	return join(root, String(newest), "bin");
}

export interface Cluster {
	program: string;
	arguments: string[];
	socketDirectory: string;
	/** For the site: connects through the socket as role `repldock`. */
	databaseUrl: string;
	isReady(): Promise<boolean>;
	/** Makes role and database; call when it is ready. Harmless when they exist. */
	createDatabase(): Promise<void>;
}

/**
 * A private PostgreSQL cluster: own data directory, reached by a unix socket alone, run by Debian's unprivileged
 * `postgres` user. Who may connect is decided by the kernel's word on who is at the other end (peer).
 */
export async function prepareCluster(data: string, run: string, siteUser: string): Promise<Cluster> {
	const programs = await programDirectory();
	const owner = await systemUser("postgres");
	const directory = join(data, "postgres");
	const socketDirectory = join(run, "postgres");
	await mkdir(socketDirectory, { recursive: true, mode: 0o755 });
	await chownTo(socketDirectory, owner);
	if (!existsSync(join(directory, "PG_VERSION"))) {
		await mkdir(directory, { recursive: true, mode: 0o700 });
		await chownTo(directory, owner);
		await runCommand(
			"setpriv",
			[
				"--reuid=postgres",
				"--regid=postgres",
				"--init-groups",
				join(programs, "initdb"),
				"--pgdata",
				directory,
				"--encoding=UTF8",
				"--locale=C.UTF-8",
				"--username=postgres",
				"--auth=peer",
			],
			{ directory: "/", timeoutMs: 120_000 },
		);
	}
	await writeFile(
		join(directory, "pg_hba.conf"),
		"local all postgres peer\nlocal repldock repldock peer map=repldock\n",
	);
	await writeFile(join(directory, "pg_ident.conf"), `repldock root repldock\nrepldock ${siteUser} repldock\n`);

	const query = (sql: string, database = "postgres") =>
		runCommand(
			"setpriv",
			[
				"--reuid=postgres",
				"--regid=postgres",
				"--init-groups",
				join(programs, "psql"),
				...["-h", socketDirectory, "-U", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1", "-AtXqc", sql],
			],
			{ directory: "/" },
		);

	return {
		program: join(programs, "postgres"),
		arguments: [
			...["-D", directory],
			...["-c", "listen_addresses="],
			...["-c", `unix_socket_directories=${socketDirectory}`],
			...["-c", "unix_socket_permissions=0777"],
			...["-c", "max_connections=100"],
			...["-c", "shared_buffers=64MB"],
			...["-c", "log_timezone=UTC"],
		],
		socketDirectory,
		databaseUrl: `postgresql://repldock@/repldock?host=${encodeURIComponent(socketDirectory)}`,
		isReady: () =>
			runCommand(join(programs, "pg_isready"), ["-q", "-h", socketDirectory]).then(
				() => true,
				() => false,
			),
		async createDatabase() {
			const roles = await query("select 1 from pg_roles where rolname = 'repldock'");
			if (!roles.trim()) await query("create role repldock login");
			const databases = await query("select 1 from pg_database where datname = 'repldock'");
			if (!databases.trim()) await query("create database repldock owner repldock");
		},
	};
}
