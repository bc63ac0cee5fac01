import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "@repldock/service";
import { expect, onTestFinished, test } from "vitest";
import { readSettings, UsageError } from "../src/settings.ts";
import { rotateOnce } from "../src/supervisor/log-rotation.ts";
import { endProcess, isAlive, processStartTime, readRecords, recordOf } from "../src/supervisor/processes.ts";
import { createSupervisor, type Service } from "../src/supervisor/supervisor.ts";

const log = createLog("test", "silent");

async function rig() {
	const directory = await mkdtemp(join(tmpdir(), "repldock-supervisor-"));
	const recordsFile = join(directory, "processes.json");
	const supervisor = createSupervisor({ logsDirectory: directory, recordsFile, log });
	onTestFinished(async () => {
		await supervisor.stop("service");
		await rm(directory, { recursive: true });
	});
	const service = (program: string, rest: Partial<Service> = {}): Service => ({
		name: "service",
		title: "the service",
		program: process.execPath,
		arguments: ["--eval", program],
		isReady: async () => true,
		startTimeoutMs: 5_000,
		stopSignal: "SIGTERM",
		stopTimeoutMs: 300,
		...rest,
	});
	return { directory, recordsFile, supervisor, service };
}

async function until(condition: () => boolean | Promise<boolean>) {
	while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

test("a program that ends by itself is started again; one that is stopped is not", async () => {
	const { supervisor, service, recordsFile } = await rig();
	await supervisor.start(service("setInterval(() => {}, 1000)"));
	const first = supervisor.status()[0]?.pid;
	process.kill(first ?? 0, "SIGKILL");
	await until(() => supervisor.status()[0]?.state === "running" && supervisor.status()[0]?.pid !== first);
	expect(supervisor.status()[0]?.restarts).toBe(1);
	const [record] = await readRecords(recordsFile);
	expect(record && (await isAlive(record))).toBe(true);
	await supervisor.stop("service");
	expect(supervisor.status()[0]).toMatchObject({ state: "stopped", pid: null });
	expect(record && (await isAlive(record))).toBe(false);
});

test("what a killed program has left of itself ends with it, where it would be in the way of the next", async () => {
	const { supervisor, service, directory } = await rig();
	const program = `const { pid } = require("node:child_process").spawn("sleep", ["1000"]); console.log("helper", pid, "."); setInterval(() => {}, 1000)`;
	const helpers = async () => {
		const text = await readFile(join(directory, "service.log"), "utf8");
		return [...text.matchAll(/helper (\d+) \./g)].map(([, pid]) => Number(pid));
	};
	const isGone = (pid: number) => processStartTime(pid).then((time) => time === null);
	const isReady = async () => (await helpers()).length > 0;
	await supervisor.start(service(program, { isReady, endsAsGroup: true }));
	const [first = 0] = await helpers();
	expect(await isGone(first)).toBe(false);
	process.kill(supervisor.status()[0]?.pid ?? 0, "SIGKILL");
	await until(() => isGone(first));
	await until(async () => (await helpers()).length === 2);
	await supervisor.stop("service");
	const [, second = 0] = await helpers();
	await until(() => isGone(second));
});

test("a program that ignores TERM is killed after its time", async () => {
	const { supervisor, service, directory } = await rig();
	const ready = () => readFile(join(directory, "service.log"), "utf8").then((text) => text.includes("deaf"));
	await supervisor.start(
		service("process.on('SIGTERM', () => {}); console.log('deaf'); setInterval(() => {}, 1000)", { isReady: ready }),
	);
	const pid = supervisor.status()[0]?.pid ?? 0;
	await supervisor.stop("service");
	expect(() => process.kill(pid, 0)).toThrow();
});

test("a restart asks otherwise than a stop, where the program tells the next one from none", async () => {
	const { supervisor, service, directory } = await rig();
	const text = () => readFile(join(directory, "service.log"), "utf8");
	const program = `for (const signal of ["SIGTERM", "SIGUSR2"]) process.on(signal, () => { console.log(signal); process.exit(); });
		console.log("up"); setInterval(() => {}, 1000)`;
	let ups = 1;
	const isReady = async () => (await text()).split("\n").filter((line) => line === "up").length >= ups;
	const handOver = { signal: "SIGTERM", timeoutMs: 5_000 } as const;
	await supervisor.start(service(program, { isReady, stopSignal: "SIGUSR2", stopTimeoutMs: 5_000, handOver }));
	ups = 2;
	await supervisor.restart("service");
	expect((await text()).split("\n")).toEqual(["up", "SIGTERM", "up", ""]);
	await supervisor.stop("service");
	expect((await text()).split("\n")).toEqual(["up", "SIGTERM", "up", "SIGUSR2", ""]);
});

test("a program that ends while it starts is an error, not a wait", async () => {
	const { supervisor, service } = await rig();
	await expect(supervisor.start(service("process.exit(3)", { isReady: async () => false }))).rejects.toThrow(
		"ended while it started",
	);
});

test("a restart by hand that fails is tried again", async () => {
	const { supervisor, service, directory } = await rig();
	const file = join(directory, "may-start");
	await writeFile(file, "");
	const program = `require("node:fs").accessSync(${JSON.stringify(file)}); console.log("up"); setInterval(() => {}, 1000)`;
	let ups = 1;
	const isReady = async () => {
		const text = await readFile(join(directory, "service.log"), "utf8");
		return text.split("\n").filter((line) => line === "up").length >= ups;
	};
	await supervisor.start(service(program, { isReady }));
	ups = 2;
	await rm(file);
	const first = supervisor.restart("service");
	await expect(supervisor.restart("service")).rejects.toThrow("already");
	await expect(first).rejects.toThrow("ended while it started");
	await writeFile(file, "");
	await until(() => supervisor.status()[0]?.state === "running");
	expect(supervisor.status()[0]?.pid).not.toBeNull();
});

test("a program that is not there is an error, and stopping it is no wait", async () => {
	const { supervisor, service } = await rig();
	const missing = service("", { program: "/nonexistent/program", isReady: async () => false });
	await expect(supervisor.start(missing)).rejects.toThrow("ended while it started");
	await supervisor.stop("service");
});

test("a program that ends right after each start is started more and more seldom", async () => {
	const { supervisor, service } = await rig();
	const startedAt: number[] = [];
	await supervisor.start(
		service("setTimeout(() => process.exit(1), 20)", {
			isReady: async () => {
				startedAt.push(performance.now());
				return true;
			},
		}),
	);
	await until(() => startedAt.length >= 5);
	const pauses = startedAt.slice(1).map((at, index) => at - (startedAt[index] ?? 0));
	// Each pause is at least half of 200 ms, 400 ms, 800 ms …
	expect(pauses[3]).toBeGreaterThan(700);
});

test("only a process that is still the same one is ended as a leftover", async () => {
	const { supervisor, service, recordsFile } = await rig();
	await supervisor.start(service("setInterval(() => {}, 1000)"));
	const [record] = await readRecords(recordsFile);
	if (!record) throw new Error("no record");
	await endProcess({ ...record, startTime: "1", endsAsGroup: true }, "SIGKILL", 100);
	expect(await isAlive(record)).toBe(true);
	await writeFile(recordsFile, JSON.stringify([{ ...record, boot: "an earlier one" }]));
	expect(await readRecords(recordsFile)).toEqual([]);
	await writeFile(recordsFile, JSON.stringify([record]).slice(0, 20));
	expect(await readRecords(recordsFile)).toEqual([]);
});

test("a leftover that goes as a group goes whole, also when its first process has ended before", async () => {
	const program = `const { spawn } = require("node:child_process");
		console.log(spawn("sleep", ["1000"], { stdio: "ignore" }).pid); setInterval(() => {}, 1000)`;
	for (const isKilled of [false, true]) {
		const leader = spawn(process.execPath, ["--eval", program], {
			detached: true,
			stdio: ["ignore", "pipe", "inherit"],
		});
		const [printed] = (await once(leader.stdout, "data")) as [Buffer];
		const helper = Number(printed);
		const record = await recordOf("leader", leader.pid ?? 0, true);
		if (!record) throw new Error("no record");
		if (isKilled) {
			leader.kill("SIGKILL");
			await once(leader, "exit");
			expect(await processStartTime(helper)).not.toBeNull();
		}
		await endProcess(record, "SIGTERM", 5_000);
		expect([await isAlive(record), await processStartTime(helper)]).toEqual([false, null]);
	}
});

test("a log that grew too long is kept once and goes on empty, while its program keeps writing", async () => {
	const { supervisor, service, directory } = await rig();
	const lines = () => readFile(join(directory, "service.log"), "utf8").catch(() => "");
	await supervisor.start(service("setInterval(() => console.log('line'), 5)"));
	await until(async () => (await lines()).length > 100);
	await rotateOnce(directory, 100);
	expect((await readFile(join(directory, "service.log.1"), "utf8")).startsWith("line\n")).toBe(true);
	await until(async () => (await lines()).startsWith("line\n"));
	await rotateOnce(directory, 1_000_000);
});

test("a command line that cannot be meant is refused with a sentence", () => {
	expect(() => readSettings(["up", "--http-port", "99999"], {})).toThrow(UsageError);
	expect(() => readSettings(["up", "--no-such-option"], {})).toThrow(UsageError);
	expect(readSettings(["up", "--http-port", "80"], {}).siteUrl).toBe("http://localhost");
	expect(() => readSettings(["up", "--volumes-device", "sdb1"], {})).toThrow(UsageError);
	const given = { REPLDOCK_VOLUMES_DEVICE: "/dev/given" };
	const device = (words: string[]) => readSettings(["up", ...words], given).environment.REPLDOCK_VOLUMES_DEVICE;
	expect([device([]), device(["--volumes-device", "/dev/sdb1"])]).toEqual(["/dev/given", "/dev/sdb1"]);
});
