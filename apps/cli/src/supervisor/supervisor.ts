import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { createBackoff, type Logger } from "@repldock/service";
import type { SystemUser } from "../machine/users.ts";
import { endGroup, type ProcessRecord, recordOf, writeRecords } from "./processes.ts";

/** One program of an instance. */
export interface Service {
	name: string;
	/** For people: what it is. */
	title: string;
	program: string;
	arguments: readonly string[];
	environment?: Record<string, string>;
	user?: SystemUser;
	/** Its further processes are of no use without the first, and in the next one's way: NGINX's workers hold its ports. */
	endsAsGroup?: boolean;
	/** Sockets that a killed predecessor leaves and that would look ready, or be in the way. */
	staleSockets?: readonly string[];
	isReady(): Promise<boolean>;
	startTimeoutMs: number;
	stopSignal: NodeJS.Signals;
	stopTimeoutMs: number;
	/** How it is ended when the next one takes over at once; as for good when left out. */
	handOver?: { signal: NodeJS.Signals; timeoutMs: number };
}

export interface ServiceStatus {
	name: string;
	title: string;
	state: "starting" | "running" | "restarting" | "stopped";
	pid: number | null;
	restarts: number;
}

export interface Supervisor {
	/** Starts it and waits until it is ready. @throws Error with the end of its log when it does not get there. */
	start(service: Service): Promise<void>;
	restart(name: string): Promise<void>;
	/** Harmless when it does not run. */
	stop(name: string): Promise<void>;
	status(): ServiceStatus[];
}

interface Supervised {
	service: Service;
	child: ChildProcess | undefined;
	record: ProcessRecord | undefined;
	state: ServiceStatus["state"];
	restarts: number;
	/** Set while it is meant to run. */
	wanted: boolean;
	/** Waiting times between starts; they begin anew once it was ready for a while. */
	backoff: ReturnType<typeof createBackoff>;
	readyAtMs: number;
	/** Starting again, of itself or by hand: one at a time, or two processes would run. */
	comingBack: Promise<void> | undefined;
}

/** A program that was ready for this long did not fail at its start: it is started again at once. */
const steadyMs = 30_000;

/** Starts programs, starts them again when they end by themselves, and stops them. */
export function createSupervisor(options: { logsDirectory: string; recordsFile: string; log: Logger }): Supervisor {
	const services = new Map<string, Supervised>();
	let recording: Promise<void> = Promise.resolve();

	function record() {
		const records = [...services.values()].flatMap(({ record }) => record ?? []);
		recording = recording.then(() => writeRecords(options.recordsFile, records));
		return recording;
	}

	async function launch(supervised: Supervised): Promise<void> {
		const { service } = supervised;
		for (const socket of service.staleSockets ?? []) rmSync(socket, { force: true });
		const logFile = openSync(join(options.logsDirectory, `${service.name}.log`), "a", 0o640);
		let child: ChildProcess;
		try {
			child = spawn(service.program, service.arguments, {
				cwd: "/",
				// A group of its own: Ctrl-C in the terminal is for the supervisor, which then stops the rest in order.
				detached: true,
				stdio: ["ignore", logFile, logFile],
				env: { PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8", ...service.environment },
				...(service.user ? { uid: service.user.uid, gid: service.user.gid } : {}),
			});
		} finally {
			closeSync(logFile);
		}
		supervised.child = child;
		child.once("error", (error) => {
			options.log.error({ err: error, service: service.name }, "could not be started");
			// There never was a process, so no exit will be told.
			if (child.pid === undefined && supervised.child === child) supervised.child = undefined;
		});
		child.once("exit", (code, signal) => {
			if (service.endsAsGroup && child.pid !== undefined) endGroup(child.pid);
			if (supervised.child !== child) return;
			supervised.child = undefined;
			supervised.record = undefined;
			if (!supervised.wanted || supervised.state === "starting") return;
			options.log.warn({ service: service.name, code, signal }, "ended by itself; starting it again");
			comeBack(supervised);
		});
		if (child.pid) {
			const started = await recordOf(service.name, child.pid, service.endsAsGroup ?? false);
			if (started && supervised.child === child) supervised.record = started;
			await record();
		}
	}

	function comeBack(supervised: Supervised) {
		supervised.comingBack ??= relaunch(supervised).finally(() => {
			supervised.comingBack = undefined;
		});
	}

	async function relaunch(supervised: Supervised) {
		const { backoff } = supervised;
		supervised.state = "restarting";
		if (performance.now() - supervised.readyAtMs >= steadyMs) backoff.reset();
		else await wait(backoff.nextMs());
		while (supervised.wanted) {
			supervised.restarts += 1;
			try {
				await bringUp(supervised);
				return;
			} catch (error) {
				options.log.error({ err: error, service: supervised.service.name }, "did not come back");
				await wait(backoff.nextMs());
			}
		}
	}

	async function bringUp(supervised: Supervised): Promise<void> {
		const { service } = supervised;
		supervised.state = "starting";
		await launch(supervised);
		const deadline = Date.now() + service.startTimeoutMs;
		while (!(await service.isReady())) {
			if (!supervised.child) throw new Error(`${service.title} ended while it started; see its log`);
			if (Date.now() > deadline) {
				await handOver(supervised);
				throw new Error(`${service.title} was not ready after ${service.startTimeoutMs / 1000} s; see its log`);
			}
			await wait(40);
		}
		// It may have ended right after it answered, and then nobody was told.
		if (!supervised.child) throw new Error(`${service.title} ended while it started; see its log`);
		supervised.state = "running";
		supervised.readyAtMs = performance.now();
	}

	function handOver(supervised: Supervised): Promise<void> {
		const { service } = supervised;
		return end(supervised, service.handOver ?? { signal: service.stopSignal, timeoutMs: service.stopTimeoutMs });
	}

	async function end(supervised: Supervised, by: { signal: NodeJS.Signals; timeoutMs: number }): Promise<void> {
		const { child } = supervised;
		if (!child || child.exitCode !== null || child.signalCode !== null) return;
		const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
		child.kill(by.signal);
		const killer = setTimeout(() => child.kill("SIGKILL"), by.timeoutMs);
		await exited;
		clearTimeout(killer);
		supervised.child = undefined;
		supervised.record = undefined;
		await record();
	}

	return {
		async start(service) {
			const supervised: Supervised = {
				service,
				child: undefined,
				record: undefined,
				state: "starting",
				restarts: 0,
				wanted: true,
				backoff: createBackoff(200, 10_000),
				readyAtMs: 0,
				comingBack: undefined,
			};
			services.set(service.name, supervised);
			await bringUp(supervised);
		},
		async restart(name) {
			const supervised = services.get(name);
			if (!supervised) throw new Error(`There is no service ${name}.`);
			if (supervised.comingBack || supervised.state === "starting") {
				throw new Error(`${supervised.service.title} is being started already.`);
			}
			supervised.state = "starting";
			try {
				await handOver(supervised);
				supervised.restarts += 1;
				await bringUp(supervised);
			} catch (error) {
				comeBack(supervised);
				throw error;
			}
		},
		async stop(name) {
			const supervised = services.get(name);
			if (!supervised) return;
			supervised.wanted = false;
			await end(supervised, { signal: supervised.service.stopSignal, timeoutMs: supervised.service.stopTimeoutMs });
			supervised.state = "stopped";
		},
		status: () =>
			[...services.values()].map(({ service, state, child, restarts }) => ({
				name: service.name,
				title: service.title,
				state,
				pid: child?.pid ?? null,
				restarts,
			})),
	};
}
