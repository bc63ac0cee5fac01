import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { assertBtrfsDevice, createCleanupStack, createLog } from "@repldock/service";
import { z } from "zod";
import { assertRestored } from "../backup/unfinished.ts";
import { buildSite, buildToolchain } from "../machine/builds.ts";
import { installPackages, missingPackages, servicePackages } from "../machine/packages.ts";
import { assertPortsFree } from "../machine/ports.ts";
import { assumedUplink } from "../machine/uplink.ts";
import { repository, type Settings } from "../settings.ts";
import { callControl, type InstanceStatus, readStatus, serveControl } from "../supervisor/control.ts";
import { endLeftovers, prepareData, startInstance } from "../supervisor/instance.ts";
import { rotateLogs } from "../supervisor/log-rotation.ts";
import { readRecords, recordsFileOf } from "../supervisor/processes.ts";
import { databaseUrlOf, operatorLink } from "../supervisor/site-program.ts";
import { createSupervisor } from "../supervisor/supervisor.ts";
import { bold, dim, green, print, say } from "../text.ts";

const version = "0.1.0";

/** `up`: makes the machine ready, starts everything, prints the address. In the foreground until Ctrl-C. */
export async function up(settings: Settings): Promise<number> {
	const present = await readStatus(settings.run);
	if (present?.phase === "running") {
		say(`Repldock runs already (${settings.data}).`);
		await printAddress(settings);
		return 0;
	}
	if (present) {
		say(`Repldock is ${present.phase} already: ${present.message}`);
		return waitUntilRunning(settings);
	}
	requireRoot();
	assertRestored(settings.data);
	// Before anything is installed or started: the agent would say so only in a log.
	const volumesDevice = settings.environment.REPLDOCK_VOLUMES_DEVICE;
	if (volumesDevice) await assertBtrfsDevice(volumesDevice);
	// What was left of a killed supervisor may listen there; it is ended later.
	if ((await readRecords(recordsFileOf(settings.run))).length === 0) await assertPortsFree(settings);
	await makeReady(settings);
	const uplink = await assumedUplink(settings.environment);
	if (uplink) say(uplink);
	return settings.detach ? startDetached(settings) : supervise(settings);
}

function requireRoot() {
	if (process.getuid?.() !== 0) {
		throw new Error("Repldock makes containers, mounts and network rules, so it must be started by root (try sudo).");
	}
}

/** Installs and builds what is missing; says only what it does. */
export async function makeReady(settings: Settings, extraPackages: readonly string[] = []): Promise<void> {
	const missing = await missingPackages([...Object.keys(servicePackages), ...extraPackages]);
	if (missing.length > 0) {
		say(`Installing Debian packages: ${missing.join(", ")} …`);
		await installPackages(missing);
	}
	await mkdir(settings.cache, { recursive: true });
	await buildToolchain(settings, (line) => say(dim(`  ${line}`)));
	if ((await buildSite()).built) say(`${green("✓")} pages built`);
}

/** Runs the supervisor in the background and waits until it says that all is well. */
async function startDetached(settings: Settings): Promise<number> {
	await mkdir(settings.logs, { recursive: true, mode: 0o700 });
	const logFile = openSync(join(settings.logs, "supervisor.log"), "a", 0o640);
	const child = spawn(process.execPath, [join(repository, "apps/cli/src/main.ts"), "supervise"], {
		cwd: "/",
		detached: true,
		stdio: ["ignore", logFile, logFile],
		env: { ...process.env, ...settings.environment },
	});
	closeSync(logFile);
	let exitCode: number | null = null;
	child.once("exit", (code) => {
		exitCode = code ?? 1;
	});
	const code = await waitUntilRunning(settings, () => exitCode !== null);
	child.unref();
	return code;
}

async function waitUntilRunning(settings: Settings, gaveUp: () => boolean = () => false): Promise<number> {
	const told = new Set<string>();
	let reason: string | undefined;
	const deadline = Date.now() + 15 * 60_000;
	while (Date.now() < deadline) {
		const status = await readStatus(settings.run);
		for (const service of status?.services ?? []) {
			if (service.state !== "running" || told.has(service.name)) continue;
			told.add(service.name);
			say(`${green("✓")} ${service.title}`);
		}
		if (status?.phase === "running") {
			await printAddress(settings);
			return 0;
		}
		// It clears away what it has begun, and only then it is gone.
		if (status?.phase === "failed") reason = status.message;
		if (gaveUp() || (reason !== undefined && !status)) {
			say(reason === undefined ? "Repldock did not start." : `Repldock could not be started: ${reason}`);
			say(`See ${join(settings.logs, "supervisor.log")}, or run: ./repldock doctor`);
			return 1;
		}
		await wait(100);
	}
	say("Repldock did not become healthy in 15 minutes. Run: ./repldock doctor");
	return 1;
}

/** The supervisor itself: returns when the instance has been stopped and cleaned up. */
export async function supervise(settings: Settings): Promise<number> {
	const log = createLog("supervisor", settings.environment.REPLDOCK_LOG_LEVEL ?? "info");
	const cleanup = createCleanupStack(log);
	const recordsFile = recordsFileOf(settings.run);
	let status: InstanceStatus["phase"] = "starting";
	let message = "making ready";
	const startedAt = new Date().toISOString();
	const stopping = Promise.withResolvers<void>();
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stopping.resolve());

	const siteUser = await prepareData(settings);
	const builds = { toolchain: await buildToolchain(settings, () => undefined), site: await buildSite() };
	await endLeftovers(recordsFile);
	const supervisor = createSupervisor({ logsDirectory: settings.logs, recordsFile, log });
	const databaseUrl = databaseUrlOf(settings);
	const control = await serveControl(settings.run, {
		status: () => ({
			version,
			phase: status,
			message,
			siteUrl: settings.siteUrl,
			data: settings.data,
			supervisorPid: process.pid,
			startedAt,
			services: supervisor.status(),
		}),
		stop: () => stopping.resolve(),
		restart: (service) => supervisor.restart(service),
		operatorLink: () => operatorLink(settings, databaseUrl, siteUser),
	});

	cleanup.push("log rotation", rotateLogs(settings.logs, log));

	let exitCode = 0;
	const started = startInstance({
		settings,
		builds,
		supervisor,
		cleanup,
		siteUser,
		log,
		say: (title) => {
			message = `${title} runs`;
			if (!settings.words.includes("supervise")) say(`${green("✓")} ${title}`);
		},
	});
	try {
		await Promise.race([started, stopping.promise]);
		status = "running";
		message = "all is well";
		if (!settings.words.includes("supervise")) await printAddress(settings);
		await stopping.promise;
		status = "stopping";
		message = "stopping everything";
	} catch (error) {
		exitCode = 1;
		log.error({ err: error }, "the instance could not be started");
		status = "failed";
		message = error instanceof Error ? error.message : String(error);
		say(`Repldock could not be started: ${message}`);
	}
	// A start that is half way must settle first, or it would acquire what nobody gives back.
	await started.catch(() => undefined);
	await cleanup.run();
	await control.close();
	await rm(join(settings.run, "supervisor.sock"), { force: true });
	await rm(recordsFile, { force: true });
	return exitCode;
}

const Link = z.object({ url: z.string() });

/** The address and the operator's link: standard output, so that a script can read them. */
async function printAddress(settings: Settings): Promise<void> {
	const link = Link.parse(await callControl(settings.run, "POST", "/operator-link"));
	if (settings.json) return print(JSON.stringify({ siteUrl: settings.siteUrl, operatorLink: link.url }));
	say();
	print(`Repldock is ready: ${bold(`${settings.siteUrl}/`)}`);
	print(`Sign in as its operator (works once, for 24 hours): ${link.url}`);
	if (!settings.detach) say(dim("Ctrl-C stops everything."));
}
