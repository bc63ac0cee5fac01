import { z } from "zod";
import { CommandError, runCommand } from "./command.ts";

const Routes = z.array(z.object({ prefsrc: z.string().optional() }));

/**
 * Whether this IPv4 address is the one by which the machine itself goes out: then its operator most likely comes in by it
 * too, and nothing that the machine listens on may be taken from him. Without a way out it counts as the machine's own.
 */
export async function isWayOut(address: string): Promise<boolean> {
	try {
		// Asks the kernel which way it would take to some address of the internet; nothing is sent.
		const output = await runCommand("ip", ["-json", "-4", "route", "get", "203.0.113.1"]);
		return Routes.parse(JSON.parse(output))[0]?.prefsrc === address;
	} catch (error) {
		// "Network is unreachable": it knows no way.
		if (error instanceof CommandError) return true;
		throw error;
	}
}
