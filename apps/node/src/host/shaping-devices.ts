import { readFile, writeFile } from "node:fs/promises";
import { CommandError, runCommand } from "@repldock/service";
import { z } from "zod";

/**
 * The devices of the shaper. An IFB hands what it is sent back to where it came from, after its queueing disciplines
 * have had their say.
 */

const Links = z.array(z.object({ ifname: z.string(), flags: z.array(z.string()), txqlen: z.int().optional() }));

const flagUp = 1;

/** Makes those that are missing and switches on those that are off. @returns the names of those that it changed. */
export async function ensureShapingDevices(names: readonly string[], queuePackets: number): Promise<string[]> {
	if ((await Promise.all(names.map((name) => isReady(name, queuePackets)))).every(Boolean)) return [];
	const links = Links.parse(JSON.parse(await runCommand("ip", ["-json", "link", "show", "type", "ifb"])));
	const changed: string[] = [];
	// Loaded by itself, the module brings two devices that nobody asked for. A kernel may have it built in.
	if (links.length === 0) await runCommand("modprobe", ["ifb", "numifbs=0"]).catch(ignoreFailure);
	for (const name of names) {
		const link = links.find(({ ifname }) => ifname === name);
		if (link?.flags.includes("UP") && link.txqlen === queuePackets) continue;
		changed.push(name);
		if (!link) await runCommand("ip", ["link", "add", "name", name, "type", "ifb"]);
		// Nothing of the machine's own has an address here.
		await writeFile(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, "1").catch(ignoreMissing);
		await runCommand("ip", ["link", "set", "dev", name, "txqueuelen", String(queuePackets), "up"]);
	}
	return changed;
}

/** As /sys tells it: without a process, since it is asked with every look. */
async function isReady(name: string, queuePackets: number): Promise<boolean> {
	const read = (what: string) => readFile(`/sys/class/net/${name}/${what}`, "utf8").catch(ignoreMissing);
	const [flags, length] = await Promise.all([read("flags"), read("tx_queue_len")]);
	return (Number(flags) & flagUp) !== 0 && Number(length) === queuePackets;
}

/** With all that hangs on them; harmless when they are not there. */
export async function removeShapingDevices(names: readonly string[]): Promise<void> {
	for (const name of names) {
		try {
			await runCommand("ip", ["link", "delete", "dev", name, "type", "ifb"]);
		} catch (error) {
			if (!(error instanceof CommandError && /Cannot find device/.test(error.stderr))) throw error;
		}
	}
}

function ignoreFailure(error: unknown): void {
	if (!(error instanceof CommandError)) throw error;
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
	if (error.code !== "ENOENT") throw error;
	return undefined;
}
