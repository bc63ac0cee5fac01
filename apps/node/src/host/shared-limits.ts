import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "@repldock/service";
import { z } from "zod";

/**
 * Limits of the kernel that one user of the machine has for all programs. Containers share the user that they are mapped
 * to, and what they hold of inotify counts as root's: without care one container could take all of it, from the others
 * and from the machine itself. So the shared limits are raised to where a container's memory, which all of this counts
 * against, is the bound; and inotify, whose limits user namespaces have of their own, is bounded for each container.
 */
const wanted: Readonly<Record<string, number>> = {
	"/proc/sys/fs/inotify/max_user_instances": 1_048_576,
	"/proc/sys/fs/inotify/max_user_watches": 268_435_456,
	"/proc/sys/fs/epoll/max_user_watches": 268_435_456,
	// Pages that one user's pipes may hold before new ones are made tiny; 0 is no limit.
	"/proc/sys/fs/pipe-user-pages-soft": 0,
	// No limit, but the machine's too: the kernel counts the bytes of each connection, which owners are shown.
	"/proc/sys/net/netfilter/nf_conntrack_acct": 1,
};

/** Of the machine, not of one instance; it is gone after a restart of the machine, as the limits are. */
export const sharedLimitsDirectory = "/run/repldock/limits";

/** What one container may hold of inotify: plenty for editors' servers and bundlers that watch a whole project. */
const perContainer = { max_inotify_instances: 256, max_inotify_watches: 131_072 };

const Remembered = z.record(z.string(), z.string());

/**
 * Raises what all containers share. Repeating it is harmless.
 * @param directory where each instance on this machine keeps, until it is down, what the machine had before the first.
 * @param instance this one's file name there.
 */
export async function raiseSharedLimits(directory: string, instance: string): Promise<void> {
	await mkdir(directory, { recursive: true, mode: 0o700 });
	const [present] = await readdir(directory);
	const before = (present && (await readRemembered(join(directory, present)))) || (await readPresent());
	await writeFile(join(directory, instance), JSON.stringify(before), { mode: 0o600 });
	for (const [path, value] of Object.entries(await readPresent())) {
		const least = wanted[path] ?? 0;
		const isEnough = least === 0 ? value === "0" : Number(value) >= least;
		if (!isEnough) await writeFile(path, String(least));
	}
}

/** Puts back what was raised once no instance needs it any more. Harmless when this one needed nothing. */
export async function restoreSharedLimits(directory: string, instance: string): Promise<void> {
	const before = await readRemembered(join(directory, instance));
	if (!before) return;
	await rm(join(directory, instance));
	if ((await readdir(directory)).length > 0) return;
	for (const [path, value] of Object.entries(await readPresent())) {
		// What somebody else has set since is theirs.
		if (value === String(wanted[path])) await writeFile(path, before[path] ?? value);
	}
}

/**
 * Bounds what one container takes of the shared limits. Programs cannot raise it: that needs a right which they lack.
 * @param pid host process id of the container's init.
 */
export async function boundContainer(pid: number): Promise<void> {
	const script = Object.entries(perContainer).map(([name, value]) => `echo ${value} > /proc/sys/user/${name}`);
	await runCommand("nsenter", ["--user", `--target=${pid}`, "--", "/bin/sh", "-ec", script.join("\n")]);
}

async function readPresent(): Promise<Record<string, string>> {
	const entries = await Promise.all(
		Object.keys(wanted).map(async (path) => {
			const text = await readFile(path, "utf8").catch(absent);
			return text === undefined ? [] : [[path, text.trim()] as const];
		}),
	);
	return Object.fromEntries(entries.flat());
}

async function readRemembered(stateFile: string): Promise<Record<string, string> | null> {
	try {
		return Remembered.parse(JSON.parse(await readFile(stateFile, "utf8")));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
		throw error;
	}
}

/** A kernel that lacks a part lacks its limit. */
function absent(error: NodeJS.ErrnoException): undefined {
	if (error.code === "ENOENT") return undefined;
	throw error;
}
