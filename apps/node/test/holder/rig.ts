import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { signAccess } from "../../src/gateway/access.ts";
import { createHolderClient, type HolderClient } from "../../src/holder/client.ts";
import type { ProjectPtys, StartMessage, WatchEvent } from "../../src/holder/messages.ts";
import { log, type Machine, type StartedContainer, startMachine } from "../host/machine.ts";
import { connectScreen, type Screen, type ScreenOptions } from "./screen.ts";

export const origin = "http://localhost:8080";

/** A machine with an engine, and the holder as a process of its own. */
export interface Rig {
	machine: Machine;
	client: HolderClient;
	socketPath: string;
	controlPath: string;
	secret: Uint8Array;
	/** The holder's process, for its memory. */
	readonly holder: ChildProcess;
	/** Ends the holder by this signal and starts another. */
	restartHolder(signal: NodeJS.Signals): Promise<void>;
	project(change?: Parameters<Machine["startContainer"]>[0]): Promise<ProjectRig>;
	release(): Promise<void>;
}

/** One project with a running container. */
export interface ProjectRig {
	id: string;
	container: StartedContainer;
	start(script: string, change?: Partial<StartMessage>): Promise<void>;
	connect(options?: Partial<ScreenOptions>): Promise<Screen>;
	/** Settles with the project's PTYs once they are as asked. */
	until(ready: (project: ProjectPtys) => boolean): Promise<ProjectPtys>;
	/** Host process ids in the container whose command line holds the text. */
	processes(text: string): Promise<number[]>;
}

export async function startRig(): Promise<Rig> {
	const machine = await startMachine();
	const runDirectory = join(machine.directory, "h");
	const secretFile = join(machine.directory, "access-secret");
	const secret = randomBytes(32);
	await mkdir(runDirectory);
	await writeFile(secretFile, secret);
	const environment = {
		REPLDOCK_RUN_DIRECTORY: runDirectory,
		REPLDOCK_ENGINE_SOCKET: machine.engineOptions.socketPath,
		REPLDOCK_ACCESS_SECRET_FILE: secretFile,
	};
	let holder = await startHolder(environment);
	const socketPath = join(runDirectory, "holder.sock");
	const controlPath = join(runDirectory, "holder-control.sock");
	const client = createHolderClient({ socketPath: controlPath, log });
	await client.setOrigins({ origins: [origin] });

	async function project(change: Parameters<Machine["startContainer"]>[0] = {}): Promise<ProjectRig> {
		const id = randomUUID();
		const container = await machine.startContainer({ ...change, projectId: id });
		return {
			id,
			container,
			start: (script, started = {}) =>
				client.start({
					projectId: id,
					ptyId: "console",
					kind: "console",
					containerId: container.id,
					command: ["/bin/bash", "-c", script],
					environment: { TERM: "xterm-256color", PS1: "ready> " },
					workingDirectory: "/home/runner/demo",
					size: { columns: 80, rows: 24 },
					title: "test",
					...started,
				}),
			async connect(options = {}) {
				const claims = { sub: "ada", name: "Ada", projectId: id, rights: options.rights ?? "edit", rightsVersion: 1 };
				const { token } = await signAccess(secret, claims, 600);
				return connectScreen({ socketPath, origin, token, projectId: id, ptyId: "console", ...options });
			},
			until: (ready) => untilProject(client, id, ready),
			processes: (text) => findProcesses(container.pid, text),
		};
	}

	return {
		machine,
		client,
		socketPath,
		controlPath,
		secret,
		get holder() {
			return holder;
		},
		project,
		async restartHolder(signal) {
			await endHolder(holder, signal);
			holder = await startHolder(environment);
			await client.setOrigins({ origins: [origin] });
		},
		async release() {
			await endHolder(holder, "SIGTERM");
			await machine.release();
		},
	};
}

async function startHolder(environment: Record<string, string>): Promise<ChildProcess> {
	const main = fileURLToPath(new URL("../../src/holder/main.ts", import.meta.url));
	const holder = spawn(process.execPath, [main], { stdio: ["ignore", "pipe", "inherit"], env: environment });
	await untilReady(holder);
	return holder;
}

async function endHolder(holder: ChildProcess, signal: NodeJS.Signals): Promise<void> {
	if (holder.exitCode !== null || holder.signalCode !== null) return;
	const ended = once(holder, "exit");
	holder.kill(signal);
	await ended;
}

async function untilReady(holder: ChildProcess): Promise<void> {
	await new Promise<void>((resolve, reject) => {
		holder.once("exit", (code) => reject(new Error(`the holder ended with ${code}`)));
		holder.stdout?.on("data", (bytes: Buffer) => {
			const text = bytes.toString();
			if (text.includes("the holder is ready")) resolve();
			if (/"level":"(error|warn)"/.test(text)) process.stderr.write(text);
		});
	});
}

/** Watches until the project is as asked; the test's own time limit ends the wait. */
function untilProject(
	client: HolderClient,
	projectId: string,
	ready: (project: ProjectPtys) => boolean,
): Promise<ProjectPtys> {
	const watching = new AbortController();
	return new Promise((resolve) => {
		client.watch((event: WatchEvent) => {
			if (event.type === "waits") return;
			const projects = event.type === "snapshot" ? event.projects : [event];
			const found = projects.find((project) => project.projectId === projectId);
			if (!found || !ready(found)) return;
			watching.abort();
			resolve(found);
		}, watching.signal);
	});
}

async function findProcesses(containerPid: number, text: string): Promise<number[]> {
	const path = /^\d+:(?:[^:]*,)?pids(?:,[^:]*)?:(.*)$/m.exec(
		await readFile(`/proc/${containerPid}/cgroup`, "utf8"),
	)?.[1];
	const unified = /^0::(.*)$/m.exec(await readFile(`/proc/${containerPid}/cgroup`, "utf8"))?.[1];
	const directory = path === undefined ? `/sys/fs/cgroup${unified}` : `/sys/fs/cgroup/pids${path}`;
	const pids = (await readFile(`${directory}/cgroup.procs`, "utf8")).split("\n").filter(Boolean);
	const lines = await Promise.all(
		pids.map(async (pid) => ({ pid, line: await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "") })),
	);
	return lines.filter(({ line }) => line.includes(text)).map(({ pid }) => Number(pid));
}
