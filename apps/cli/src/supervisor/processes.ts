import { readFile, rename, writeFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";

/** A process that can be told from a later one with the same number by the time it started. */
const ProcessRecord = z.object({ name: z.string(), pid: z.int().positive(), startTime: z.string() });
export type ProcessRecord = z.infer<typeof ProcessRecord>;

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

export async function readRecords(path: string): Promise<ProcessRecord[]> {
	const text = await readFile(path, "utf8").catch(() => "[]");
	return z.array(ProcessRecord).parse(JSON.parse(text));
}

export async function writeRecords(path: string, records: readonly ProcessRecord[]): Promise<void> {
	await writeFile(`${path}.new`, JSON.stringify(records));
	await rename(`${path}.new`, path);
}

/** Ends a process that an earlier run left: the signal first, KILL when it does not go within the time. */
export async function endProcess(record: ProcessRecord, signal: NodeJS.Signals, timeoutMs: number): Promise<void> {
	if (!(await isAlive(record))) return;
	process.kill(record.pid, signal);
	const deadline = Date.now() + timeoutMs;
	while (await isAlive(record)) {
		if (Date.now() > deadline) {
			process.kill(record.pid, "SIGKILL");
			return;
		}
		await wait(50);
	}
}
