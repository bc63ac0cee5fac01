import type { Settings } from "../settings.ts";
import { leftRunning } from "../supervisor/processes.ts";
import { say } from "../text.ts";

/** Says that there is no supervisor. @returns whether programs of one that was killed go on without it. */
export async function sayNotRunning(settings: Settings): Promise<boolean> {
	const left = await leftRunning(settings.run);
	say(
		left.length === 0
			? `Repldock does not run (${settings.data}). Start it with: ./repldock up`
			: `Repldock's supervisor was killed (${settings.data}). These go on without it: ${left.join(", ")}.\n` +
					"Take them over with: ./repldock up",
	);
	return left.length > 0;
}
