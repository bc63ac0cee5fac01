import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";

/** The kernel needs a moment to take a killed process's memory and ports. */
const killedWithinMs = 2_000;

/** A process that can be told from a later one with the same number by the time it started. */
const ProcessRecord = z.object({
	name: z.string(),
	pid: z.int().positive(),
	startTime: z.string(),
	/** The machine's start that `startTime` counts from. */
	boot: z.string(),
	/** The other processes of its group go with it. */
	endsAsGroup: z.boolean(),
});
export type ProcessRecord = z.infer<typeof ProcessRecord>;

/** Of a process that was started just now, as the leader of a group; null when it has ended already. */
export async function recordOf(name: string, pid: number, endsAsGroup: boolean): Promise<ProcessRecord | null> {
	const [startTime, boot] = await Promise.all([processStartTime(pid), bootId()]);
	return startTime === null ? null : { name, pid, startTime, boot, endsAsGroup };
}

async function bootId(): Promise<string> {
	return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
}

/** The kernel's start time of a process in clock ticks since boot; null when it is gone or a zombie. */
export async function processStartTime(pid: number): Promise<string | null> {
	try {
		const text = await readFile(`/proc/${pid}/stat`, "utf8");
		// The second field is the program's name in parentheses and may hold anything, so count from the last one.
		const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
		return fields[0] === "Z" ? null : (fields[19] ?? null);
	} catch {
		return null;
	}
}

export async function isAlive(record: ProcessRecord): Promise<boolean> {
	return (await processStartTime(record.pid)) === record.startTime;
}

/** Where an instance keeps which programs it started. */
export function recordsFileOf(run: string): string {
	return join(run, "processes.json");
}

/** Those that were written since the machine started: the others' numbers are strangers' now. */
export async function readRecords(path: string): Promise<ProcessRecord[]> {
	const text = await readFile(path, "utf8").catch(() => "");
	const boot = await bootId();
	try {
		return z
			.array(ProcessRecord)
			.parse(JSON.parse(text))
			.filter((record) => record.boot === boot);
	} catch {
		// There is none, or a power cut left half of one.
		return [];
	}
}

/** Names of an instance's programs that run. While it has no supervisor, they are what a killed one has left. */
export async function leftRunning(run: string): Promise<string[]> {
	const names: string[] = [];
	for (const record of await readRecords(recordsFileOf(run))) if (await isAlive(record)) names.push(record.name);
	return names;
}

export async function writeRecords(path: string, records: readonly ProcessRecord[]): Promise<void> {
	await writeFile(`${path}.new`, JSON.stringify(records));
	await rename(`${path}.new`, path);
}

/** Ends a process that an earlier run left: the signal first, KILL when it does not go within the time. */
export async function endProcess(record: ProcessRecord, signal: NodeJS.Signals, timeoutMs: number): Promise<void> {
	if (await isAlive(record)) {
		process.kill(record.pid, signal);
		if (!(await passes(async () => !(await isAlive(record)), timeoutMs))) process.kill(record.pid, "SIGKILL");
	}
	if (!record.endsAsGroup) return;
	await passes(async () => !(await isAlive(record)), killedWithinMs);
	// While a group has members, no new process gets its number: whoever has it now is not of ours.
	if ((await processStartTime(record.pid)) !== null) return;
	await passes(async () => !endGroup(record.pid), killedWithinMs);
}

/** Kills what is left of a process group whose first process has ended. @returns whether there was any. */
export function endGroup(id: number): boolean {
	try {
		return process.kill(-id, "SIGKILL");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
		throw error;
	}
}

/** @returns whether it came to hold within the time. */
async function passes(condition: () => Promise<boolean>, withinMs: number): Promise<boolean> {
	for (const deadline = Date.now() + withinMs; !(await condition()); await wait(50)) {
		if (Date.now() > deadline) return false;
	}
	return true;
}
