import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CleanupStack, type Logger, runCommand } from "@repldock/service";
import { z } from "zod";
import { assertPortsFree } from "../machine/ports.ts";
import { type Cluster, prepareCluster } from "../machine/postgres.ts";
import { ensureSystemUser, isReachableByAll, type SystemUser, systemUser } from "../machine/users.ts";
import { repository, type Settings } from "../settings.ts";
import { endProcess, readRecords } from "./processes.ts";
import { accepts, answers } from "./readiness.ts";
import { siteEnvironment, siteProgram } from "./site-program.ts";
import type { Service, Supervisor } from "./supervisor.ts";

const agentProgram = join(repository, "apps/node/src/main.ts");
const holderProgram = join(repository, "apps/node/src/holder/main.ts");

/** The holder passes bytes on and needs few threads and small young generations: a third of the memory less. */
const frugalFlags = ["--max-semi-space-size=2", "--v8-pool-size=1"];
const frugalVariables = { UV_THREADPOOL_SIZE: "2", MALLOC_ARENA_MAX: "2" };

/**
 * Calls of btrfs hold a thread while they wait for the disk. Node's 4 would all be waiting while many snapshots are taken, and
 * nobody's file would be read. A thread takes less than 0.1 MB.
 */
export const agentVariables = { UV_THREADPOOL_SIZE: "16" };

/** How the node's own programs are started, as `apps/node/src/main.ts prepare` prints it. */
const Program = z.object({ program: z.string(), arguments: z.array(z.string()) });
const NodePlan = z.object({
	containerd: Program.extend({ socket: z.string() }),
	engine: Program,
	edge: Program,
	resolver: Program.extend({ address: z.string(), port: z.int() }).nullable(),
	agent: z.object({ drainSignal: z.literal("SIGUSR2"), drainTimeoutMs: z.int().positive() }),
});

export interface Toolchain {
	hash: string;
	archive: string;
}

/** What is built before an instance starts. */
export interface Builds {
	toolchain: Toolchain;
	/** Folder of the site's pages. */
	site: { directory: string };
}

/** Directories and secrets that an instance needs before any of its programs starts. */
export async function prepareData(settings: Settings): Promise<SystemUser> {
	const siteUser = await ensureSystemUser(settings.systemUser);
	await mkdir(settings.data, { recursive: true });
	await chmod(settings.data, 0o711);
	await mkdir(settings.logs, { recursive: true, mode: 0o700 });
	await mkdir(join(settings.data, "secrets"), { recursive: true, mode: 0o711 });
	// The site makes its socket here as its own user; the sticky bit keeps the other sockets out of its hands.
	await mkdir(settings.run, { recursive: true });
	await chown(settings.run, 0, siteUser.gid);
	await chmod(settings.run, 0o1771);
	// Socket paths are limited to 107 bytes by the kernel; ours are at most 24 longer than the data directory's.
	if (Buffer.byteLength(settings.data) > 80) {
		throw new Error(
			`The data directory's path is too long for the sockets in it; use at most 80 bytes: ${settings.data}`,
		);
	}
	if (!(await isReachableByAll(settings.data))) {
		throw new Error(
			`Containers run as unprivileged users and cannot reach ${settings.data}: a directory above it is closed to them. ` +
				"Choose another one with --data, for example /var/lib/repldock.",
		);
	}
	const siteSecrets = join(settings.data, "secrets/site");
	const nodeSecrets = join(settings.data, "secrets/node");
	await mkdir(siteSecrets, { recursive: true, mode: 0o700 });
	await mkdir(nodeSecrets, { recursive: true, mode: 0o700 });
	await ensureSecret(join(nodeSecrets, "access-secret"));
	const token = await ensureSecret(join(nodeSecrets, "node-token"));
	await writeFile(join(siteSecrets, "node-token"), token, { mode: 0o600 });
	await ensureSecret(join(siteSecrets, "auth-secret"));
	for (const path of [siteSecrets, join(siteSecrets, "node-token"), join(siteSecrets, "auth-secret")]) {
		await chown(path, siteUser.uid, siteUser.gid);
	}
	return siteUser;
}

async function ensureSecret(path: string): Promise<string> {
	if (!existsSync(path)) await writeFile(path, randomBytes(32).toString("base64url"), { mode: 0o600 });
	return readFile(path, "utf8");
}

/** Ends what a supervisor that was killed left running; containers stay and are adopted. */
export async function endLeftovers(recordsFile: string): Promise<void> {
	const records = await readRecords(recordsFile);
	for (const record of records.reverse()) {
		await endProcess(record, record.name === "postgres" ? "SIGINT" : "SIGTERM", 15_000);
	}
}

/**
 * Starts every program of a one-machine instance, in the order in which they need each other, and pushes how each is
 * stopped. `say` gets a line for people as each comes up.
 */
export async function startInstance(options: {
	settings: Settings;
	builds: Builds;
	supervisor: Supervisor;
	cleanup: CleanupStack;
	siteUser: SystemUser;
	say: (line: string) => void;
	log: Logger;
}): Promise<void> {
	const { settings, supervisor, cleanup, say } = options;
	const environment = nodeEnvironment(settings, options.builds.toolchain);

	async function start(service: Service) {
		cleanup.push(service.name, () => supervisor.stop(service.name));
		await supervisor.start(service);
		say(service.title);
	}

	async function startSite() {
		const own = settings.environment.DATABASE_URL;
		let cluster: Cluster | undefined;
		if (!own) {
			cluster = await prepareCluster(settings.data, settings.run, settings.systemUser);
			await start(await databaseService(cluster));
			await cluster.createDatabase();
		}
		await start(
			await siteService(settings, own ?? cluster?.databaseUrl ?? "", options.siteUser, options.builds.site.directory),
		);
	}

	async function startNode() {
		cleanup.push("host", async () => void (await runAgent("release", environment)));
		const plan = NodePlan.parse(JSON.parse(await runAgent("prepare", environment)));
		await start({
			name: "containerd",
			title: "containerd",
			program: plan.containerd.program,
			arguments: plan.containerd.arguments,
			staleSockets: [plan.containerd.socket],
			isReady: () => accepts({ socketPath: plan.containerd.socket }),
			startTimeoutMs: 30_000,
			stopSignal: "SIGTERM",
			stopTimeoutMs: 10_000,
		});
		await start({
			name: "engine",
			title: "Docker Engine",
			program: plan.engine.program,
			arguments: plan.engine.arguments,
			isReady: () => answers({ socketPath: join(settings.run, "docker.sock") }, "/_ping"),
			startTimeoutMs: 60_000,
			stopSignal: "SIGTERM",
			stopTimeoutMs: 20_000,
		});
		// What an agent that was dead or killed has left, or found when a start got no further than this: nothing of ours may
		// be there when an instance is down.
		cleanup.push("containers", async () => void (await runAgent("drain", environment)));
		const { resolver } = plan;
		if (resolver) {
			await start({
				name: "resolver",
				title: "dnsmasq",
				program: resolver.program,
				arguments: resolver.arguments,
				isReady: () => accepts({ host: resolver.address, port: resolver.port }),
				startTimeoutMs: 15_000,
				stopSignal: "SIGTERM",
				stopTimeoutMs: 5_000,
			});
		}
		await start({
			name: "holder",
			title: "holder",
			program: process.execPath,
			arguments: [...frugalFlags, holderProgram],
			staleSockets: [join(settings.run, "holder-control.sock")],
			environment: { ...environment, ...frugalVariables },
			isReady: async () => existsSync(join(settings.run, "holder-control.sock")),
			startTimeoutMs: 15_000,
			stopSignal: "SIGTERM",
			stopTimeoutMs: 5_000,
		});
		return plan;
	}

	const [plan] = await Promise.all([startNode(), startSite()]);
	await assertPortsFree(settings);
	const edgeSocket = join(settings.run, "edge.sock");
	await start({
		name: "edge",
		title: "NGINX",
		program: plan.edge.program,
		arguments: plan.edge.arguments,
		endsAsGroup: true,
		staleSockets: [edgeSocket],
		isReady: async () =>
			(await answers({ socketPath: edgeSocket }, "/routes")) &&
			(await answers({ host: "127.0.0.1", port: settings.httpPort }, "/healthz", siteHost(settings))),
		startTimeoutMs: 15_000,
		stopSignal: "SIGTERM",
		stopTimeoutMs: 5_000,
	});
	await start({
		name: "agent",
		title: "agent",
		program: process.execPath,
		arguments: [agentProgram, "serve"],
		staleSockets: [join(settings.run, "agent.sock")],
		environment: { ...environment, ...agentVariables },
		isReady: () => answers({ socketPath: join(settings.run, "agent.sock") }, "/healthz"),
		// The first start imports the toolchain image.
		startTimeoutMs: 10 * 60_000,
		// It ends the containers itself, so that its last checkpoints hold what their programs wrote last.
		stopSignal: plan.agent.drainSignal,
		stopTimeoutMs: plan.agent.drainTimeoutMs,
		handOver: { signal: "SIGTERM", timeoutMs: 10_000 },
	});
}

function siteHost(settings: Settings): Record<string, string> {
	return { host: new URL(settings.siteUrl).host };
}

async function databaseService(cluster: Cluster): Promise<Service> {
	return {
		name: "postgres",
		title: "PostgreSQL",
		program: cluster.program,
		arguments: cluster.arguments,
		user: await systemUser("postgres"),
		isReady: cluster.isReady,
		startTimeoutMs: 60_000,
		// "Fast shutdown": ends the connections, keeps the data.
		stopSignal: "SIGINT",
		stopTimeoutMs: 30_000,
	};
}

async function siteService(
	settings: Settings,
	databaseUrl: string,
	siteUser: SystemUser,
	pages: string,
): Promise<Service> {
	const socket = join(settings.run, "site.sock");
	return {
		name: "site",
		title: "site",
		program: process.execPath,
		arguments: [siteProgram],
		staleSockets: [socket],
		environment: { ...siteEnvironment(settings, databaseUrl), REPLDOCK_SITE_DIST_DIRECTORY: pages },
		// In a checkout that only root can enter (below /root, say) an unprivileged user could not read the program.
		...((await isReachableByAll(repository)) ? { user: siteUser } : {}),
		isReady: () => answers({ socketPath: socket }, "/healthz", siteHost(settings)),
		startTimeoutMs: 60_000,
		stopSignal: "SIGTERM",
		stopTimeoutMs: 8_000,
	};
}

function nodeEnvironment(settings: Settings, toolchain: Toolchain): Record<string, string> {
	return {
		...settings.environment,
		NODE_ENV: "production",
		REPLDOCK_TOOLCHAIN_ARCHIVE: toolchain.archive,
		REPLDOCK_TOOLCHAIN_HASH: toolchain.hash,
		REPLDOCK_RUN_DIRECTORY: settings.run,
		REPLDOCK_SITE_SOCKET: join(settings.run, "site.sock"),
		REPLDOCK_ENGINE_SOCKET: join(settings.run, "docker.sock"),
		REPLDOCK_ACCESS_SECRET_FILE: join(settings.data, "secrets/node/access-secret"),
	};
}

/** What the agent's program says of volumes and checkpoints, as JSON. */
export function nodeStorage(settings: Settings): Promise<string> {
	return runAgent("storage", nodeEnvironment(settings, { hash: "none", archive: "" }));
}

async function runAgent(
	command: "prepare" | "storage" | "drain" | "release",
	environment: Record<string, string>,
): Promise<string> {
	return runCommand(process.execPath, [agentProgram, command], { environment, timeoutMs: 180_000 });
}
