import { readdir, readFile, writeFile } from "node:fs/promises";
import { runCommand } from "@repldock/service";
import { processIds } from "./instance.ts";
import { instanceName, processesOf } from "./leftovers.ts";
import { eventually } from "./wait.ts";

/**
 * Leaves of an instance what a power cut leaves, its files: no process of it or its containers runs on, and what the
 * kernel had for it is gone. What was written is on the disk all the same.
 */
export async function cutPower(data: string): Promise<void> {
	// First of all, or it would start the others again.
	process.kill((await processIds(data)).supervisor, "SIGKILL");
	for (const pid of await withDescendants((await processesOf(data)).map(({ pid }) => pid))) {
		await thaw(pid);
		try {
			process.kill(pid, "SIGKILL");
		} catch {
			// It went with its parent.
		}
	}
	await eventually("the end of all processes", async () => (await processesOf(data)).length === 0);
	await eventually("the end of all mounts", async () => {
		const mounts = await mountsBelow(data);
		for (const mount of mounts.reverse()) await runCommand("umount", [mount]).catch(() => undefined);
		return mounts.length === 0;
	});
	const loops = await runCommand("losetup", ["--list", "--noheadings", "--output", "NAME,BACK-FILE"]);
	for (const [, device = ""] of loops.matchAll(/^(\S+) +(\S*)/gm)) {
		if (loops.includes(`${device} ${data}`)) await runCommand("losetup", ["--detach", device]);
	}
	const instance = instanceName(data);
	for (const link of (await readdir("/sys/class/net")).filter((name) => name.includes(instance))) {
		await runCommand("ip", ["link", "delete", link]);
	}
	const tables = (await runCommand("nft", ["list", "tables"])).split("\n").filter((line) => line.includes(instance));
	for (const table of tables) await runCommand("nft", ["delete", ...table.split(" ")]);
}

async function withDescendants(pids: readonly number[]): Promise<number[]> {
	const parents = new Map<number, number>();
	for (const name of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
		const text = await readFile(`/proc/${name}/stat`, "utf8").catch(() => "");
		parents.set(Number(name), Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1]));
	}
	const found = new Set(pids);
	for (let before = 0; before !== found.size; ) {
		before = found.size;
		for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
	}
	return [...found];
}

/** With cgroup v1 a paused container does not even hear KILL. */
async function thaw(pid: number): Promise<void> {
	const groups = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
	const path = /^\d+:freezer:(\/.+)$/m.exec(groups)?.[1];
	if (path) await writeFile(`/sys/fs/cgroup/freezer${path}/freezer.state`, "THAWED").catch(() => undefined);
}

async function mountsBelow(data: string): Promise<string[]> {
	const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
	return lines.flatMap((line) => line.split(" ")[4] ?? []).filter((path) => path.startsWith(`${data}/`));
}
