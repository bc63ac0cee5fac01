import { chmod, copyFile, lchown, lstat, mkdir, readdir, readlink, symlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { RunnerId } from "./subordinate-ids.ts";

/**
 * Copies what is in one directory into another, with permission bits and times, and makes it an owner's. Links stay
 * links. For trees of our own, as templates are, into a place that no program reaches: a program for it would take longer
 * to start than this takes.
 */
export async function copyTree(from: string, to: string, owner: RunnerId): Promise<void> {
	for (const name of await readdir(from)) await copyEntry(join(from, name), join(to, name), owner);
}

async function copyEntry(from: string, to: string, owner: RunnerId): Promise<void> {
	const status = await lstat(from);
	if (status.isSymbolicLink()) await symlink(await readlink(from), to);
	else if (status.isDirectory()) {
		await mkdir(to);
		await copyTree(from, to, owner);
	} else await copyFile(from, to);
	await lchown(to, owner.uid, owner.gid);
	if (status.isSymbolicLink()) return;
	await chmod(to, status.mode & 0o777);
	await utimes(to, status.atime, status.mtime);
}
