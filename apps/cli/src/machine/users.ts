import { chown, readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { runCommand } from "@repldock/service";

export interface SystemUser {
	name: string;
	uid: number;
	gid: number;
}

async function findUser(name: string): Promise<SystemUser | undefined> {
	const line = (await readFile("/etc/passwd", "utf8")).split("\n").find((entry) => entry.startsWith(`${name}:`));
	const fields = line?.split(":");
	return fields && { name, uid: Number(fields[2]), gid: Number(fields[3]) };
}

/** @throws Error when the machine has no such user. */
export async function systemUser(name: string): Promise<SystemUser> {
	const user = await findUser(name);
	if (!user) throw new Error(`The system user ${name} is missing. Run: ./repldock doctor`);
	return user;
}

/** Makes the unprivileged user of the site and the edge's workers, if it is not there. */
export async function ensureSystemUser(name: string): Promise<SystemUser> {
	const user = await findUser(name);
	if (user) return user;
	await runCommand("useradd", [
		"--system",
		"--user-group",
		"--no-create-home",
		...["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"],
		name,
	]);
	return systemUser(name);
}

export async function chownTo(path: string, user: SystemUser): Promise<void> {
	await chown(path, user.uid, user.gid);
}

/** Whether everybody may pass through every directory above and including this one. */
export async function isReachableByAll(directory: string): Promise<boolean> {
	for (let path = directory; ; path = dirname(path)) {
		if (((await stat(path)).mode & 0o001) === 0) return false;
		if (path === dirname(path)) return true;
	}
}
