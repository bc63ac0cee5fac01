import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { markerVariable } from "./messages.ts";

/**
 * Processes of a container as the host sees them. All reads are synchronous: /proc answers from memory in
 * microseconds, and what was read belongs together.
 */

/** Environments are looked through up to here; ours stands among the first entries. */
const environmentReadBytes = 256 * 1024;

/** A process that ended meanwhile reads as this. */
const gone = "";

/** Which processes of a container are meant, apart from their descendants. */
export interface ProcessChoice {
	/** Value of REPLDOCK_PTY; `null` means the processes of every PTY. */
	marker: string | null;
	/** Host process id of the program itself: just started, it may not have its environment yet. */
	root: number | null;
}

/**
 * Finds all processes that carry the marker in their environment, and their descendants; a program that clears its
 * environment is still found as long as it is a descendant. What was learned of a process is remembered for the next
 * look, and environments are only read where the family tree does not answer: to read one waits for a process that is
 * about to fork, and a fork bomb always is.
 * @param containerPid host process id of the container's init.
 * @returns a function that answers the host process ids found at that moment.
 */
export function createProcessFinder(containerPid: number, { marker, root }: ProcessChoice): () => number[] {
	let remembered = new Map<string, boolean>();

	return () => {
		const processes = containerProcesses(containerPid).flatMap(readProcess);
		const byPid = new Map(processes.map((process) => [process.pid, process]));
		const answers = new Map<string, boolean>();

		/** A parent's answer is a child's; who has no chosen parent is looked at itself. */
		function isChosen(process: Process): boolean {
			const known = answers.get(process.key) ?? (remembered.get(process.key) || undefined);
			if (known !== undefined) return known;
			answers.set(process.key, false);
			const parent = byPid.get(process.parent);
			const chosen =
				process.pid === root ||
				(parent !== undefined && isChosen(parent)) ||
				(process.pid !== containerPid && !remembered.has(process.key) && isMarked(process.pid, marker));
			answers.set(process.key, chosen);
			return chosen;
		}

		const found = processes.filter(isChosen).map(({ pid }) => pid);
		remembered = new Map(processes.map((process) => [process.key, isChosen(process)]));
		return found;
	};
}

interface Process {
	pid: number;
	parent: number;
	/** Process ids are used again; with the time of its start one names a process for ever. */
	key: string;
}

/** Nothing for a process that has ended, also when its parent has not noticed yet. */
function readProcess(pid: number): Process[] {
	const status = readText(`/proc/${pid}/stat`);
	// The name, in parentheses, may hold anything; the fields after it are state, parent and, 18 further, the start.
	const fields = status.slice(status.lastIndexOf(")") + 2).split(" ");
	const [state, parent] = fields;
	if (!state || state === "Z" || state === "X") return [];
	return [{ pid, parent: Number(parent), key: `${pid}:${fields[19]}` }];
}

/** How often the kernel has ended a process of this container because its memory ran out. */
export function outOfMemoryKills(containerPid: number): number {
	const directories = cgroupDirectories(containerPid);
	const text = directories.memory
		? readText(`${directories.memory}/memory.oom_control`)
		: readText(`${directories.unified}/memory.events`);
	return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}

/** Whether the container is paused: its processes hear no signal, not even KILL everywhere, before it goes on. */
export function isPaused(containerPid: number): boolean {
	const { freezer, unified } = cgroupDirectories(containerPid);
	if (freezer) return /^(FREEZING|FROZEN)$/m.test(readText(`${freezer}/freezer.state`));
	return readText(`${unified}/cgroup.freeze`).trim() === "1";
}

function containerProcesses(containerPid: number): number[] {
	const { pids, unified } = cgroupDirectories(containerPid);
	const text = readText(`${pids ?? unified}/cgroup.procs`);
	return text.split("\n").filter(Boolean).map(Number);
}

interface ControlGroups {
	pids?: string;
	memory?: string;
	freezer?: string;
	unified?: string;
}

/** Where the container's control group is: with version 1 one directory per controller, else the unified one. */
function cgroupDirectories(containerPid: number): ControlGroups {
	const directories: ControlGroups = {};
	for (const line of readText(`/proc/${containerPid}/cgroup`).split("\n")) {
		const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
		if (controllers === undefined || path === undefined) continue;
		for (const controller of ["pids", "memory", "freezer"] as const) {
			if (controllers.split(",").includes(controller)) directories[controller] = `/sys/fs/cgroup/${controller}${path}`;
		}
		if (controllers === "") directories.unified = `/sys/fs/cgroup${path}`;
	}
	return directories;
}

function isMarked(pid: number, marker: string | null): boolean {
	const environment = readStart(`/proc/${pid}/environ`, environmentReadBytes);
	const entry = Buffer.from(marker === null ? `${markerVariable}=` : `${markerVariable}=${marker}\0`);
	for (let at = environment.indexOf(entry); at >= 0; at = environment.indexOf(entry, at + 1)) {
		if (at === 0 || environment[at - 1] === 0) return true;
	}
	return false;
}

function readText(path: string): string {
	try {
		return readFileSync(path, "utf8");
	} catch (error) {
		return ignoreGone(error, gone);
	}
}

/** /proc knows no sizes, so that reading a whole hostile environment would have no bound. */
function readStart(path: string, most: number): Buffer {
	let file: number;
	try {
		file = openSync(path, "r");
	} catch (error) {
		return ignoreGone(error, Buffer.alloc(0));
	}
	try {
		const parts: Buffer[] = [];
		for (let length = 0; length < most; ) {
			const part = Buffer.alloc(4096);
			const read = readSync(file, part);
			if (read === 0) break;
			parts.push(part.subarray(0, read));
			length += read;
		}
		return Buffer.concat(parts);
	} catch (error) {
		return ignoreGone(error, Buffer.alloc(0));
	} finally {
		closeSync(file);
	}
}

function ignoreGone<T>(error: unknown, instead: T): T {
	const { code } = error as NodeJS.ErrnoException;
	// EACCES and EIO: the process is on its way out and has no memory any more.
	if (code === "ENOENT" || code === "ESRCH" || code === "EACCES" || code === "EIO") return instead;
	throw error;
}
