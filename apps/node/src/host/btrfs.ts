import { stat } from "node:fs/promises";
import { CommandError, runCommand } from "@repldock/service";
import { commit, makeSubvolume, removeSubvolume, setLimit, takeSnapshot } from "./btrfs-calls.ts";
import { createSubvolumeList } from "./subvolume-list.ts";

/** What one subvolume uses of its limit, as of the file system's last commit. No limit reads as Infinity. */
export interface SubvolumeUsage {
	usedBytes: number;
	limitBytes: number;
}

export async function createSubvolume(path: string): Promise<void> {
	if (await makeSubvolume(path)) return;
	await runCommand("btrfs", ["subvolume", "create", path]);
}

/** A copy in no time and no space; what changes in either is not seen in the other. */
export async function snapshotSubvolume(from: string, to: string, as: "writable" | "read-only"): Promise<void> {
	if (await takeSnapshot(from, to, as === "read-only")) return;
	// Into a directory that is there the program would put it, under the name of its source.
	if (await stat(to).catch(() => null)) throw new Error(`${to} is there already`);
	await runCommand("btrfs", ["subvolume", "snapshot", ...(as === "read-only" ? ["-r"] : []), from, to]);
}

/** Deletes a subvolume and those that programs made inside it, inner ones first. */
export async function deleteSubvolume(mountPoint: string, path: string): Promise<void> {
	const inner = await innerSubvolumes(mountPoint, await subvolumeId(path));
	for (const subvolume of inner.toReversed()) {
		await runCommand("btrfs", ["subvolume", "delete", "--subvolid", subvolume, mountPoint]);
	}
	await deleteLoneSubvolume(path);
}

/** Deletes a subvolume that holds no other ones. */
export async function deleteLoneSubvolume(path: string): Promise<void> {
	if (await removeSubvolume(path)) return;
	await runCommand("btrfs", ["subvolume", "delete", path]);
}

export async function subvolumeId(path: string): Promise<string> {
	return (await runCommand("btrfs", ["inspect-internal", "rootid", path])).trim();
}

export async function limitSubvolume(path: string, bytes: number): Promise<void> {
	if (await setLimit(path, bytes)) return;
	await runCommand("btrfs", ["qgroup", "limit", String(bytes), path]);
}

/** Brings to the disk what programs wrote until now; uses and counts of changes are as of then. */
export async function syncFileSystem(mountPoint: string): Promise<void> {
	if (await commit(mountPoint)) return;
	await runCommand("btrfs", ["filesystem", "sync", mountPoint]);
}

export async function subvolumeUsage(path: string): Promise<SubvolumeUsage> {
	const output = await runCommand("btrfs", ["qgroup", "show", "--raw", "-r", "-f", path]);
	// A heading, dashes, then: qgroup id, referenced bytes, exclusive bytes, limit of referenced bytes.
	const match = /^0\/\d+\s+(\d+)\s+\d+\s+(\d+|none)/m.exec(output);
	if (!match) throw new Error(`btrfs does not count ${path}: ${output.trim()}`);
	return { usedBytes: Number(match[1]), limitBytes: match[2] === "none" ? Number.POSITIVE_INFINITY : Number(match[2]) };
}

/**
 * Removes the counters of subvolumes that are gone. Newer kernels do it by themselves; older ones refuse while a
 * deleted subvolume is still being cleaned up, and the next call gets it.
 */
export async function removeStaleCounters(mountPoint: string): Promise<void> {
	const topLevel = "5";
	const living = new Set([topLevel, ...(await listIds(mountPoint, [])), ...(await listIds(mountPoint, ["-d"]))]);
	const output = await runCommand("btrfs", ["qgroup", "show", "--raw", mountPoint]);
	for (const match of output.matchAll(/^0\/(\d+)\s/gm)) {
		const id = match[1] as string;
		if (living.has(id)) continue;
		await runCommand("btrfs", ["qgroup", "destroy", `0/${id}`, mountPoint]).catch((error: unknown) => {
			const benign = /busy|No such file|Invalid argument/i;
			if (!(error instanceof CommandError && benign.test(error.stderr))) throw error;
		});
	}
}

/**
 * Tells how often each subvolume had changed by the last commit, by path; those inside volumes, which are strangers', aside.
 * One for each file system.
 */
export function createChangeCounts(mountPoint: string): () => Promise<Map<string, number>> {
	const list = createSubvolumeList(mountPoint);
	return async () => (await list()) ?? (await countsByProgram(mountPoint));
}

async function countsByProgram(mountPoint: string): Promise<Map<string, number>> {
	const output = await runCommand("btrfs", ["subvolume", "list", "-o", mountPoint]);
	const lines = output.matchAll(/^ID \d+ gen (\d+) top level 5 path (.+)$/gm);
	return new Map([...lines].map((match) => [match[2] as string, Number(match[1])]));
}

/** Ids of all subvolumes below one, each after the one that holds it. */
async function innerSubvolumes(mountPoint: string, id: string): Promise<string[]> {
	const output = await runCommand("btrfs", ["subvolume", "list", "-p", mountPoint]);
	const parents = [...output.matchAll(/^ID (\d+) gen \d+ parent (\d+) /gm)];
	const found = [id];
	for (const outer of found) {
		for (const match of parents) if (match[2] === outer) found.push(match[1] as string);
	}
	return found.slice(1);
}

async function listIds(mountPoint: string, options: readonly string[]): Promise<string[]> {
	const output = await runCommand("btrfs", ["subvolume", "list", ...options, mountPoint]);
	return [...output.matchAll(/^ID (\d+) /gm)].map((match) => match[1] as string);
}
