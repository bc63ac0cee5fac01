import { readFile } from "node:fs/promises";
import { z } from "zod";
import { runCommand } from "./command.ts";

const Routes = z.array(z.object({ dev: z.string() }));

/** Where the machine sends what is for the internet, and how fast that device says it is. */
export interface Uplink {
	device: string;
	/** Null for devices that do not know: virtual ones, mostly. */
	bitsPerSecond: number | null;
}

/** @returns null when the machine has no way out. */
export async function measureUplink(): Promise<Uplink | null> {
	const output = await runCommand("ip", ["-json", "-4", "route", "show", "default"]);
	const device = Routes.parse(JSON.parse(output))[0]?.dev;
	if (device === undefined) return null;
	// -1 or an error: unknown. In Mbit/s.
	const speed = Number(await readFile(`/sys/class/net/${device}/speed`, "utf8").catch(() => ""));
	return { device, bitsPerSecond: speed > 0 ? speed * 1e6 : null };
}

/** What is taken where nobody says how much the uplink carries and the device does not know. */
export const assumedUplinkBitsPerSecond = 1e9;
