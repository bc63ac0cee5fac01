import { execFile } from "node:child_process";
import { chmod, cp, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommand } from "@repldock/service";

const launcher = fileURLToPath(new URL("../../repldock", import.meta.url));

/** A running instance in a throw-away data directory. */
export interface TestInstance {
	data: string;
	siteUrl: string;
	httpPort: number;
	/** Works once. */
	operatorLink: string;
}

/** A TCP port that was free a moment ago. */
export function freePort(): Promise<number> {
	return new Promise((resolve, reject) => {
		const server = createServer();
		server.once("error", reject);
		server.listen(0, "127.0.0.1", () => {
			const address = server.address();
			server.close(() =>
				address && typeof address === "object" ? resolve(address.port) : reject(new Error("no port")),
			);
		});
	});
}

/** Runs `./repldock` as an operator would. @throws Error with what it printed when it exits with anything but 0. */
export function repldock(
	commandArguments: readonly string[],
	environment: Record<string, string> = {},
): Promise<string> {
	return new Promise((resolve, reject) => {
		execFile(
			launcher,
			[...commandArguments],
			{ env: { ...process.env, ...environment }, maxBuffer: 64 * 1024 * 1024, timeout: 15 * 60_000 },
			(error, stdout, stderr) => {
				if (error)
					reject(new Error(`./repldock ${commandArguments.join(" ")} failed:\n${stderr}\n${stdout}`, { cause: error }));
				else resolve(stdout);
			},
		);
	});
}

/** Starts an instance whose containers reach nothing outside. */
export async function startTestInstance(environment: Record<string, string> = {}): Promise<TestInstance> {
	return startInstanceIn(await makeDataDirectory(), await freePort(), environment);
}

/** An empty one, through which containers' users can pass. */
export async function makeDataDirectory(): Promise<string> {
	const data = await mkdtemp("/var/tmp/repldock-test-");
	await chmod(data, 0o711);
	return data;
}

/** Host process ids of a running instance's supervisor and of its programs, by name. */
export async function processIds(data: string): Promise<{ supervisor: number; services: Map<string, number> }> {
	const status = JSON.parse(await repldock(["status", "--json", "--data", data])) as {
		supervisorPid: number;
		services: { name: string; pid: number }[];
	};
	return {
		supervisor: status.supervisorPid,
		services: new Map(status.services.map(({ name, pid }) => [name, pid])),
	};
}

/** Starts one in a directory that is there, as after `down` or `restore`. */
export async function startInstanceIn(
	data: string,
	httpPort: number,
	environment: Record<string, string> = {},
): Promise<TestInstance> {
	const output = await repldock(["up", "--detach", "--json", "--data", data, "--http-port", String(httpPort)], {
		REPLDOCK_EGRESS: "closed",
		REPLDOCK_VOLUMES_SIZE: "8G",
		// One person makes the projects of all tests.
		REPLDOCK_PROJECTS_PER_USER: "1000",
		REPLDOCK_RUNNING_PER_USER: "1000",
		...environment,
	});
	const { siteUrl, operatorLink } = JSON.parse(output) as { siteUrl: string; operatorLink: string };
	return { data, siteUrl, httpPort, operatorLink };
}

/** Takes it down; its logs are kept in the directory that REPLDOCK_TEST_LOGS names, if it is set. */
export async function stopTestInstance(instance: TestInstance): Promise<void> {
	await repldock(["down", "--data", instance.data]);
	const keptLogs = process.env.REPLDOCK_TEST_LOGS;
	if (keptLogs) await cp(join(instance.data, "logs"), keptLogs, { recursive: true });
	await rm(instance.data, { recursive: true, force: true });
}

/** Asks the instance's own database. @returns the first column of each row. */
export async function queryInstance(data: string, sql: string): Promise<string[]> {
	const psql = ["psql", "--no-psqlrc", "-qAt", "-h", join(data, "run/postgres"), "-d", "repldock", "-c", sql];
	const asOwner = ["--reuid=postgres", "--regid=postgres", "--clear-groups"];
	// It may not enter the directory that this process is in.
	const output = await runCommand("setpriv", [...asOwner, ...psql], { directory: "/" });
	return output.split("\n").filter((line) => line !== "");
}

/** The end of a program's log, for the message of a failed test. */
export function logFile(instance: TestInstance, service: string): string {
	return join(instance.data, "logs", `${service}.log`);
}
