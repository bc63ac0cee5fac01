import { readFile } from "node:fs/promises";
import type { ListeningPort } from "../host.ts";

const listenState = "0A";
/** 127.0.0.0/8 and ::1 as the kernel prints them: 32-bit words in host byte order. */
const loopbackV4 = /^[0-9A-F]{6}7F$/;
const loopbackV6 = /^(?:0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F)$/;

/**
 * Ports that listen in a container, ascending.
 * @param containerPid host process id of the container's init, whose network namespace is looked at.
 * @returns an empty list when the container does not run.
 */
export async function readListeningPorts(containerPid: number): Promise<ListeningPort[]> {
	const tables = await Promise.all(["tcp", "tcp6"].map((name) => readTable(`/proc/${containerPid}/net/${name}`)));
	const loopbackOnly = new Map<number, boolean>();
	for (const line of tables.flatMap((table) => table.split("\n").slice(1))) {
		const [, local, , state] = line.trim().split(/\s+/);
		const [address, port] = local?.split(":") ?? [];
		if (state !== listenState || address === undefined || port === undefined) continue;
		const number = Number.parseInt(port, 16);
		const loopback = loopbackV4.test(address) || loopbackV6.test(address);
		loopbackOnly.set(number, loopback && (loopbackOnly.get(number) ?? true));
	}
	return [...loopbackOnly]
		.map(([port, loopback]) => ({ port, loopbackOnly: loopback }))
		.sort((a, b) => a.port - b.port);
}

async function readTable(path: string): Promise<string> {
	return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
		// Gone meanwhile, or a kernel without IPv6.
		if (error.code === "ENOENT" || error.code === "ESRCH" || error.code === "EINVAL") return "";
		throw error;
	});
}
