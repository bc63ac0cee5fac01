import { existsSync } from "node:fs";
import { join } from "node:path";

/** A file that is there as long as a restore fills the data directory. */
export function restoringMark(data: string): string {
	return join(data, "restoring");
}

/** @throws Error when a restore into this directory was killed: what is there is only part of an instance. */
export function assertRestored(data: string): void {
	if (!existsSync(restoringMark(data))) return;
	throw new Error(
		`A restore into ${data} did not finish. Wait for it, or empty the folder and run ./repldock restore again.`,
	);
}
