import { readdir, readFile, readlink } from "node:fs/promises";
import { basename } from "node:path";
import { runCommand } from "@repldock/service";
import koffi from "koffi";
import { z } from "zod";

const library = koffi.load(null);
const nameOfIndex = library.func("char *if_indextoname(unsigned int index, _Out_ uint8_t *name)");
const nameBytes = 16;

const Links = z.array(z.object({ ifname: z.string(), link_index: z.int().optional() }));
/** What the engine calls a container's end of its cable. */
const containersEnd = "eth0";

/**
 * The node's end of a container's cable.
 * @param pid host process id of the container's first process.
 * @throws Error when the container has none, or its other end is no port of this bridge.
 */
export async function findCable(pid: number, bridge: string): Promise<string> {
	const index = await peerIndex(pid);
	const name = interfaceName(index);
	// A number out of a stranger's file system counts only when the kernel agrees.
	const master = name && (await readlink(`/sys/class/net/${name}/brport/bridge`).catch(() => ""));
	if (!name || basename(master || "") !== bridge)
		throw new Error(`process ${pid} has no cable to the bridge ${bridge}`);
	return name;
}

/** The node's ends of all cables to this bridge; none when there is no such bridge. */
export async function portsOfBridge(bridge: string): Promise<string[]> {
	return readdir(`/sys/class/net/${bridge}/brif`).catch((error: NodeJS.ErrnoException) => {
		if (error.code === "ENOENT") return [];
		throw error;
	});
}

/** Interface number of the other end. The container's own /sys tells it without a process of ours. */
async function peerIndex(pid: number): Promise<number> {
	const text = await readFile(`/proc/${pid}/root/sys/class/net/${containersEnd}/iflink`, "utf8").catch(() => "");
	const index = Number(text);
	return Number.isSafeInteger(index) && index > 0 ? index : askInside(pid);
}

/** Runtimes with a kernel of their own show no /sys to the host. */
async function askInside(pid: number): Promise<number> {
	const look = ["ip", "-json", "link", "show", "dev", containersEnd];
	const output = await runCommand("nsenter", [`--net=/proc/${pid}/ns/net`, ...look]);
	const index = Links.parse(JSON.parse(output))[0]?.link_index;
	if (index === undefined) throw new Error(`process ${pid} has no cable`);
	return index;
}

/** @returns undefined when there is no such interface. */
export function interfaceName(index: number): string | undefined {
	const buffer = Buffer.alloc(nameBytes);
	if (nameOfIndex(index, buffer) === null) return undefined;
	return buffer.toString("latin1", 0, buffer.indexOf(0));
}

/** What interfaces of the node sent to their other ends, by name: all of them, or one alone. */
export async function readReceived(only?: string): Promise<Map<string, { bytes: number; packets: number }>> {
	const lines = (await readFile("/proc/net/dev", "utf8")).split("\n").slice(2);
	const received = new Map<string, { bytes: number; packets: number }>();
	for (const line of lines) {
		const [name = "", fields = ""] = line.split(":");
		if (only !== undefined && name.trim() !== only) continue;
		const [, , , , , , , , bytes, packets] = fields.trim().split(/\s+/).map(Number);
		if (bytes !== undefined && packets !== undefined) received.set(name.trim(), { bytes, packets });
	}
	return received;
}
