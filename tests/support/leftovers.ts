import { createHash } from "node:crypto";
import { readdir, readFile, readlink } from "node:fs/promises";
import { runCommand } from "@repldock/service";

/** What of this machine still belongs to an instance: processes, mounts, interfaces, routes, packet filters. */
export async function findLeftovers(data: string): Promise<string[]> {
	const instance = instanceName(data);
	const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n").filter((line) => line.includes(data));
	const links = (await readdir("/sys/class/net")).filter((name) => name.includes(instance));
	const tables = (await runCommand("nft", ["list", "tables"])).split("\n").filter((line) => line.includes(instance));
	const loops = (await runCommand("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"]))
		.split("\n")
		.filter((line) => line.includes(data));
	// Rules and routes carry no name but that of an interface.
	const [rules, routes] = await Promise.all([
		runCommand("ip", ["rule"]),
		runCommand("ip", ["route", "show", "table", "all"]),
	]);
	const ways = [...rules.split("\n"), ...routes.split("\n")].filter((line) => line.includes(instance));
	const processes = (await processesOf(data)).map(({ pid, command }) => `${pid} ${command}`);
	return [...processes, ...mounts, ...links, ...ways, ...tables, ...loops];
}

/** What stands in the names of all that the kernel has for an instance. */
export function instanceName(data: string): string {
	return createHash("sha256").update(data).digest("hex").slice(0, 8);
}

/** Processes that name the data directory in their arguments, are told of it as theirs, or work in it. */
export async function processesOf(data: string): Promise<{ pid: number; command: string }[]> {
	const found: { pid: number; command: string }[] = [];
	for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
		const [command, environment, directory] = await Promise.all([
			readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""),
			readFile(`/proc/${pid}/environ`, "utf8").catch(() => ""),
			readlink(`/proc/${pid}/cwd`).catch(() => ""),
		]);
		const isTold = environment.split("\0").includes(`REPLDOCK_DATA=${data}`);
		if (isTold || command.includes(data) || directory.startsWith(data)) {
			found.push({ pid: Number(pid), command: command.replaceAll("\0", " ") });
		}
	}
	return found;
}
