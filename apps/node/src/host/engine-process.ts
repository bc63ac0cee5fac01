import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, realpath, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { runCommand } from "@repldock/service";
import { createEngineHttp, EngineError } from "./engine-http.ts";
import { listMounts } from "./mount-table.ts";
import { ensureUserNamespaceRange, subordinateUser } from "./subordinate-ids.ts";

/** Where a private engine keeps its things and how it is wired. Nothing is shared with another engine of the machine. */
export interface EngineProcessOptions {
	/** Images and layers; kept over restarts. */
	dataDirectory: string;
	/** Sockets, pid files and state of running containers. Short: unix socket paths end at 107 bytes. */
	runDirectory: string;
	/** The API's socket. */
	socketPath: string;
	/** An existing bridge with an address; containers get theirs from its subnet. */
	bridge: string;
	/** Name servers that containers ask; with none, look-ups fail at once. */
	nameServers: readonly string[];
	/** Further OCI runtimes by name → program. */
	runtimes?: Readonly<Record<string, string>>;
}

/** The default runtime: runc that denies what would lead out of a volume's quota. */
const fencedRuntime = "fenced";
const startTimeoutMs = 60_000;
const stopTimeoutMs = 30_000;

/**
 * Arguments of the engine's containerd. It gets one of its own, since `dockerd` would otherwise join the machine's.
 * The file named with `--config` is written by `prepareEngine`.
 */
export function containerdArguments(options: EngineProcessOptions): string[] {
	return [
		`--config=${containerdConfigPath(options)}`,
		`--address=${containerdSocketPath(options)}`,
		`--root=${join(options.dataDirectory, "containerd")}`,
		`--state=${join(options.runDirectory, "containerd")}`,
		"--log-level=warn",
	];
}

/** Arguments of `dockerd`. The bridge and all packet filtering are ours (see network.ts), so it touches neither. */
export function engineArguments(options: EngineProcessOptions): string[] {
	const nameServers = options.nameServers.length > 0 ? options.nameServers : ["127.0.0.1"];
	return [
		`--config-file=${engineConfigPath(options)}`,
		`--host=unix://${options.socketPath}`,
		`--containerd=${containerdSocketPath(options)}`,
		`--data-root=${join(options.dataDirectory, "docker")}`,
		`--exec-root=${join(options.runDirectory, "docker")}`,
		`--pidfile=${join(options.runDirectory, "dockerd.pid")}`,
		`--bridge=${options.bridge}`,
		"--iptables=false",
		"--ip6tables=false",
		"--ip-forward=false",
		"--ip-masq=false",
		"--userland-proxy=false",
		`--userns-remap=${subordinateUser}`,
		"--live-restore",
		"--storage-driver=overlay2",
		"--log-driver=none",
		"--log-level=warn",
		"--default-ulimit=core=0:0",
		...nameServers.map((address) => `--dns=${address}`),
		`--add-runtime=${fencedRuntime}=${fileURLToPath(new URL("runtime/fenced-runc", import.meta.url))}`,
		`--default-runtime=${fencedRuntime}`,
		...Object.entries(options.runtimes ?? {}).map(([name, program]) => `--add-runtime=${name}=${program}`),
	];
}

/** Makes directories, configuration files and the user range that the two programs need. Repeating it is harmless. */
export async function prepareEngine(options: EngineProcessOptions): Promise<void> {
	await ensureUserNamespaceRange();
	// Search permission for all: remapped root must reach its layers below the data directory.
	await mkdir(options.dataDirectory, { recursive: true, mode: 0o711 });
	await mkdir(options.runDirectory, { recursive: true, mode: 0o711 });
	// The Kubernetes plugin opens a TCP port; the others only look for things that are not there.
	const disabled = ["cri", "aufs", "btrfs", "devmapper", "zfs"];
	const plugins = disabled.map((name) => `"io.containerd.${name === "cri" ? "grpc" : "snapshotter"}.v1.${name}"`);
	await writeFile(containerdConfigPath(options), `version = 2\ndisabled_plugins = [${plugins.join(", ")}]\n`);
	await writeFile(engineConfigPath(options), "{}\n");
}

/** The engine's two programs, running. */
export interface EngineProcess {
	/** Settles when one of the two ended, with a sentence that says which and how. */
	ended: Promise<string>;
	/** Ends both. Running containers go on (live restore) and are found again by the next start. */
	stop(): Promise<void>;
}

/**
 * Starts containerd and `dockerd` and waits until the API answers.
 * @param output where their log lines go: inherited, or a file descriptor.
 * @throws Error when it does not answer in time; both are then ended.
 */
export async function startEngine(
	options: EngineProcessOptions,
	output: "inherit" | "ignore" | number,
): Promise<EngineProcess> {
	await prepareEngine(options);
	await rm(containerdSocketPath(options), { force: true });
	const containerd = spawnDaemon("containerd", containerdArguments(options), output);
	const daemons = [containerd];
	const stop = async () => {
		// dockerd first: it says good-bye to containerd.
		for (const daemon of daemons.toReversed()) await endDaemon(daemon);
	};
	try {
		await waitFor(containerd, () => canConnect(containerdSocketPath(options)));
		const dockerd = spawnDaemon("dockerd", engineArguments(options), output);
		daemons.push(dockerd);
		await waitFor(dockerd, () => answers(options.socketPath));
	} catch (error) {
		await stop();
		throw error;
	}
	return { ended: Promise.race(daemons.map(({ ended }) => ended)), stop };
}

/**
 * Unmounts what the engine leaves mounted below its directories: after a restart with running containers it no longer
 * knows its own mounts. For the final stop, when no container runs any more.
 */
export async function releaseEngine(options: EngineProcessOptions): Promise<void> {
	const places = await Promise.all([options.dataDirectory, options.runDirectory].map((path) => realpath(path)));
	const mounts = await listMounts();
	for (const { place } of mounts.toReversed()) {
		if (places.some((own) => place.startsWith(`${own}/`))) await runCommand("umount", [place]);
	}
}

interface Daemon {
	process: ChildProcess;
	ended: Promise<string>;
}

function spawnDaemon(program: string, daemonArguments: string[], output: "inherit" | "ignore" | number): Daemon {
	const child = spawn(program, daemonArguments, { stdio: ["ignore", output, output] });
	const ended = new Promise<string>((resolve) => {
		child.once("error", (error) => resolve(`${program} could not be started: ${error.message}`));
		child.once("exit", (code, signal) => resolve(`${program} ended (${signal ?? `code ${code}`})`));
	});
	return { process: child, ended };
}

async function endDaemon({ process: child, ended }: Daemon): Promise<void> {
	child.kill("SIGTERM");
	const timer = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
	await ended;
	clearTimeout(timer);
}

/** Neither program says when it is ready, so its socket is asked until it answers. */
async function waitFor(daemon: Daemon, ready: () => Promise<boolean>): Promise<void> {
	const giveUp = AbortSignal.timeout(startTimeoutMs);
	const failed = daemon.ended.then((reason) => Promise.reject(new Error(reason)));
	failed.catch(() => undefined);
	while (!(await Promise.race([ready(), failed]))) {
		await Promise.race([delay(50), failed]);
		if (giveUp.aborted) throw new Error(`The engine did not answer within ${startTimeoutMs / 1000} s.`);
	}
}

async function canConnect(path: string): Promise<boolean> {
	const socket = createConnection(path);
	try {
		await once(socket, "connect");
		return true;
	} catch {
		return false; // Not listening yet.
	} finally {
		socket.destroy();
	}
}

async function answers(socketPath: string): Promise<boolean> {
	try {
		await createEngineHttp(socketPath).call({ method: "GET", path: "/_ping", timeoutMs: 2_000 });
		return true;
	} catch (error) {
		if (error instanceof EngineError) return false; // Not up yet.
		throw error;
	}
}

const containerdSocketPath = (options: EngineProcessOptions) => join(options.runDirectory, "containerd.sock");
const containerdConfigPath = (options: EngineProcessOptions) => join(options.runDirectory, "containerd.toml");
const engineConfigPath = (options: EngineProcessOptions) => join(options.runDirectory, "dockerd.json");
