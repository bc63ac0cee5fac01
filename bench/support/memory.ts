import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { repldock, type TestInstance } from "../../tests/support/instance.ts";

const kibibyte = 1024;

interface Status {
	supervisorPid: number;
	services: { name: string; pid: number }[];
}

/** Process ids of an instance's services by name. */
export async function serviceIds(instance: TestInstance): Promise<Map<string, number>> {
	const { services } = await readStatus(instance);
	return new Map(services.map(({ name, pid }) => [name, pid]));
}

async function readStatus({ data }: TestInstance): Promise<Status> {
	return JSON.parse(await repldock(["status", "--json", "--data", data])) as Status;
}

/** Resident bytes of one process. */
export function residentBytes(pid: number): number {
	return field(readFileSync(`/proc/${pid}/status`, "utf8"), "VmRSS");
}

/** Bytes in use on the machine: all that could not be given to a new program. Drops the page cache first. */
export function usedBytes(): number {
	writeFileSync("/proc/sys/vm/drop_caches", "3");
	const text = readFileSync("/proc/meminfo", "utf8");
	return field(text, "MemTotal") - field(text, "MemAvailable");
}

/** Bytes that the kernel itself keeps and cannot give back, on the whole machine. */
export function kernelBytes(): number {
	const text = readFileSync("/proc/meminfo", "utf8");
	return ["SUnreclaim", "KernelStack", "PageTables", "Percpu"].reduce((sum, name) => sum + field(text, name), 0);
}

/** Proportional share of memory of all processes of an instance, its containers among them, in bytes by program. */
export async function proportionalBytes(instance: TestInstance): Promise<Map<string, number>> {
	const { supervisorPid } = await readStatus(instance);
	const sums = new Map<string, number>();
	for (const { pid, name } of processesOf(instance, supervisorPid)) {
		const bytes = readProportional(pid);
		if (bytes !== null) sums.set(name, (sums.get(name) ?? 0) + bytes);
	}
	return sums;
}

/** The supervisor's and the containers' shims, which name the data directory, with all their descendants. */
function processesOf({ data }: TestInstance, supervisorPid: number): Process[] {
	const processes = readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name))
		.flatMap(readProcess);
	const found = new Map<number, Process>();
	// Parents may come after their children: go on until nothing is added.
	for (let before = -1; found.size > before; ) {
		before = found.size;
		for (const process of processes) {
			const { pid, parent, commandLine } = process;
			if (pid === supervisorPid || found.has(parent) || commandLine.includes(data)) found.set(pid, process);
		}
	}
	return [...found.values()];
}

interface Process {
	pid: number;
	parent: number;
	name: string;
	commandLine: string;
}

/** Nothing for a process that ended meanwhile. */
function readProcess(directory: string): Process[] {
	try {
		const commandLine = readFileSync(`/proc/${directory}/cmdline`, "utf8").replaceAll("\0", " ");
		const status = readFileSync(`/proc/${directory}/status`, "utf8");
		const parent = Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]);
		return [{ pid: Number(directory), parent, name: programName(commandLine, status), commandLine }];
	} catch (error) {
		return ignoreEnded(error, []);
	}
}

/** All of Node's programs have one name; ours are told apart by their folder. */
function programName(commandLine: string, status: string): string {
	const [, folder, holder] = /\/apps\/([a-z]+)\/src\/(holder\/)?/.exec(commandLine) ?? [];
	if (folder !== undefined) return holder ? "holder" : folder === "node" ? "agent" : folder;
	return /^Name:\s+(.*)$/m.exec(status)?.[1] ?? "?";
}

function readProportional(pid: number): number | null {
	try {
		return field(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"), "Pss");
	} catch (error) {
		return ignoreEnded(error, null);
	}
}

/** A line such as `MemTotal:  123 kB` of a file under /proc, in bytes. */
function field(text: string, name: string): number {
	const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1];
	if (kibibytes === undefined) throw new Error(`/proc tells no ${name}`);
	return Number(kibibytes) * kibibyte;
}

function ignoreEnded<T>(error: unknown, instead: T): T {
	const { code } = error as NodeJS.ErrnoException;
	if (code === "ENOENT" || code === "ESRCH") return instead;
	throw error;
}
