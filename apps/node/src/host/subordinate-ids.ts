import { readFile } from "node:fs/promises";
import { CommandError, runCommand } from "@repldock/service";

/** The system user whose subordinate ids containers live on. */
export const subordinateUser = "repldock";

/** Ids that one container may see; the same for all of them. */
const rangeLength = 65_536;

/** Above what distributions hand to people (100000 and up, a few ranges of 65536) unless it is free there. */
const lowestStart = 231_072;
const runnerId = 1000;

/** What a container's user `runner` (1000) is on the host. */
export interface RunnerId {
	uid: number;
	gid: number;
}

interface Range {
	name: string;
	start: number;
	count: number;
}

/**
 * Makes the system user and its ranges in /etc/subuid and /etc/subgid, apart from all others'. Repeating it changes
 * nothing: files of volumes are owned by these ids, so they must never move.
 */
export async function ensureUserNamespaceRange(): Promise<void> {
	if (!(await userExists())) {
		await runCommand("useradd", [
			"--system",
			"--user-group",
			"--no-create-home",
			"--home-dir=/nonexistent",
			"--shell=/usr/sbin/nologin",
			subordinateUser,
		]);
	}
	const [users, groups] = await Promise.all([readRanges("/etc/subuid"), readRanges("/etc/subgid")]);
	const start = chooseStart([...users, ...groups]);
	const span = `${start}-${start + rangeLength - 1}`;
	const missing = [
		...(findOwn(users) ? [] : [`--add-subuids=${span}`]),
		...(findOwn(groups) ? [] : [`--add-subgids=${span}`]),
	];
	if (missing.length > 0) await runCommand("usermod", [...missing, subordinateUser]);
}

/**
 * Owner of project files on the host.
 * @throws Error when `ensureUserNamespaceRange` was never run on this machine.
 */
export async function mappedRunnerId(): Promise<RunnerId> {
	const [users, groups] = await Promise.all([readRanges("/etc/subuid"), readRanges("/etc/subgid")]);
	const [uids, gids] = [findOwn(users), findOwn(groups)];
	if (!uids || !gids) throw new Error(`${subordinateUser} has no subordinate ids in /etc/subuid and /etc/subgid.`);
	return { uid: uids.start + runnerId, gid: gids.start + runnerId };
}

async function userExists(): Promise<boolean> {
	try {
		await runCommand("getent", ["passwd", subordinateUser]);
		return true;
	} catch (error) {
		const unknownName = 2;
		if (error instanceof CommandError && error.exitCode === unknownName) return false;
		throw error;
	}
}

async function readRanges(file: string): Promise<Range[]> {
	const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
		if (error.code === "ENOENT") return "";
		throw error;
	});
	return text.split("\n").flatMap((line) => {
		const match = /^([^:#]+):(\d+):(\d+)$/.exec(line.trim());
		return match ? [{ name: match[1] as string, start: Number(match[2]), count: Number(match[3]) }] : [];
	});
}

/** The engine uses a user's lowest range first. */
function findOwn(ranges: readonly Range[]): Range | undefined {
	const own = ranges.filter((range) => range.name === subordinateUser && range.count >= rangeLength);
	return own.sort((a, b) => a.start - b.start)[0];
}

/** The first aligned span, from `lowestStart` on, that no range of either file touches. */
function chooseStart(ranges: readonly Range[]): number {
	let start = lowestStart;
	for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
		const touches = range.start < start + rangeLength && range.start + range.count > start;
		if (touches) start = range.start + range.count;
	}
	return start;
}
