import { chmod, rm } from "node:fs/promises";
import type { Server } from "node:http";
import { connect } from "node:net";

/**
 * Listens on a unix socket (owner and group may connect) or on a port of 127.0.0.1.
 * @throws Error when another program listens there.
 */
export async function listenOn(server: Server, where: { socket: string } | { port: number }): Promise<void> {
	if ("socket" in where) await removeStaleSocket(where.socket);
	await new Promise<void>((resolve, reject) => {
		server.once("error", reject);
		const ready = () => {
			server.off("error", reject);
			resolve();
		};
		if ("socket" in where) server.listen(where.socket, ready);
		else server.listen(where.port, "127.0.0.1", ready);
	});
	if ("socket" in where) await chmod(where.socket, 0o660);
}

/** A socket file outlives a program that was killed; nobody answers at it then. */
async function removeStaleSocket(path: string): Promise<void> {
	const answers = await new Promise<boolean>((resolve) => {
		const probe = connect(path);
		probe.once("connect", () => {
			probe.destroy();
			resolve(true);
		});
		probe.once("error", () => resolve(false));
	});
	if (answers) throw new Error(`Another program listens on ${path}.`);
	await rm(path, { force: true });
}

/** Takes no new connections, lets requests under way end, and cuts off those that take longer than the time. */
export async function closeServer(server: Server, graceMs: number): Promise<void> {
	const closed = new Promise<void>((resolve) => server.close(() => resolve()));
	server.closeIdleConnections();
	const impatience = setTimeout(() => server.closeAllConnections(), graceMs);
	await closed;
	clearTimeout(impatience);
}
