import { once } from "node:events";
import { chmod, chown, readFile, rm } from "node:fs/promises";
import type { Server } from "node:http";
import { createConnection } from "node:net";

/** @throws Error when another process answers on this unix socket. */
export async function refuseSecond(path: string): Promise<void> {
	if (await answers(path)) throw new Error(`another holder answers on ${path}`);
}

/** Listens on a unix socket with this mode, and group if it exists. A socket that a dead process left is replaced. */
export async function listen(server: Server, path: string, mode: number, group?: string): Promise<void> {
	await rm(path, { force: true });
	// Closed to all others from its first moment on.
	const before = process.umask(0o177);
	try {
		server.listen(path);
		await once(server, "listening");
	} finally {
		process.umask(before);
	}
	const groupId = group === undefined ? undefined : await findGroup(group);
	if (groupId !== undefined) await chown(path, 0, groupId);
	await chmod(path, mode);
}

async function answers(path: string): Promise<boolean> {
	const connection = createConnection(path);
	try {
		await once(connection, "connect");
		return true;
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "ENOENT" || code === "ECONNREFUSED") return false;
		throw error;
	} finally {
		connection.destroy();
	}
}

async function findGroup(name: string): Promise<number | undefined> {
	for (const line of (await readFile("/etc/group", "utf8")).split("\n")) {
		const [found, , id] = line.split(":");
		if (found === name) return Number(id);
	}
	return undefined;
}
