import { setTimeout as wait } from "node:timers/promises";
import type { Settings } from "../settings.ts";
import { callControl, readStatus } from "../supervisor/control.ts";
import { green, say } from "../text.ts";
import { sayNotRunning } from "./not-running.ts";

/** More than the last checkpoints may take (REPLDOCK_DRAIN_PATIENCE), and all other programs. */
const mostMs = 5 * 60_000;

/** `down`: stops everything and waits until nothing is left. Harmless when nothing runs. Exits with 1 when something is left. */
export async function down(settings: Settings): Promise<number> {
	if ((await callControl(settings.run, "POST", "/stop")) === null) return (await sayNotRunning(settings)) ? 1 : 0;
	const deadline = Date.now() + mostMs;
	while (await readStatus(settings.run)) {
		if (Date.now() > deadline) {
			say("Repldock is still stopping after five minutes. Run: ./repldock status");
			return 1;
		}
		await wait(100);
	}
	say(`${green("✓")} stopped`);
	return 0;
}
