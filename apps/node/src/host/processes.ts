import { readdir, readFile, readlink } from "node:fs/promises";

/** A process as its container's host sees it. */
export interface ContainerProcess {
	/** Host process ids. */
	pid: number;
	parentPid: number;
}

/** What a process that ended while it was looked at, or that forbids the look, answers. */
const gone: readonly unknown[] = ["ENOENT", "ESRCH", "EACCES", "EPERM"];

/**
 * All processes of a container, zombies included: those in the pid namespace of its init. Nothing leaves a pid
 * namespace, and containers cannot make further ones: they have no capabilities and the default seccomp profile.
 * @param containerPid host process id of the container's init.
 * @returns an empty list when the container does not run.
 */
export async function listContainerProcesses(containerPid: number): Promise<ContainerProcess[]> {
	const namespace = await pidNamespace(containerPid);
	if (namespace === null) return [];
	const names = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
	const found = await Promise.all(
		names.map(async (name): Promise<ContainerProcess | null> => {
			const pid = Number(name);
			if ((await pidNamespace(pid)) !== namespace) return null;
			const parentPid = await parentOf(pid);
			return parentPid === null ? null : { pid, parentPid };
		}),
	);
	return found.filter((process) => process !== null);
}

/**
 * Processes of a container whose environment holds `marker` (`NAME=value`) to the letter, and all that descend from
 * them: a program may change its own environment, but then still has its parent's. To end a run, stop what was found
 * and ask again until nothing is found, since programs fork meanwhile.
 */
export async function findMarked(containerPid: number, marker: string): Promise<number[]> {
	const processes = await listContainerProcesses(containerPid);
	const marked = new Set<number>();
	await Promise.all(
		processes.map(async ({ pid }) => {
			if (pid !== containerPid && (await hasMarker(pid, marker))) marked.add(pid);
		}),
	);
	const children = Map.groupBy(processes, ({ parentPid }) => parentPid);
	// A set is walked in order of insertion, what is added on the way included.
	for (const pid of marked) for (const child of children.get(pid) ?? []) marked.add(child.pid);
	return [...marked];
}

async function pidNamespace(pid: number): Promise<string | null> {
	return readlink(`/proc/${pid}/ns/pid`).catch(ignoreGone);
}

async function parentOf(pid: number): Promise<number | null> {
	const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(ignoreGone);
	// The name in parentheses may hold anything, parentheses too; state and parent follow the last one.
	const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
	return fields?.[1] === undefined ? null : Number(fields[1]);
}

async function hasMarker(pid: number, marker: string): Promise<boolean> {
	const environment = await readFile(`/proc/${pid}/environ`).catch(ignoreGone);
	if (environment === null) return false;
	const padded = Buffer.concat([Buffer.from([0]), environment, Buffer.from([0])]);
	return padded.includes(Buffer.from(`\0${marker}\0`));
}

function ignoreGone(error: NodeJS.ErrnoException): null {
	if (gone.includes(error.code)) return null;
	throw error;
}
