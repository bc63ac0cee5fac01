import { copyFile, readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "@repldock/service";

/** A log that grew beyond this is moved to `<name>.log.1`, over the one before. */
const mostBytes = 16 * 1024 * 1024;
const lookEveryMs = 60_000;

/**
 * Keeps logs small. The programs hold their log open for appending, so it is copied and emptied, not renamed.
 * @returns ends it.
 */
export function rotateLogs(logsDirectory: string, log: Logger): () => void {
	const timer = setInterval(() => {
		rotateOnce(logsDirectory, mostBytes).catch((error: unknown) => log.error({ err: error }, "logs were not rotated"));
	}, lookEveryMs);
	return () => clearInterval(timer);
}

export async function rotateOnce(logsDirectory: string, bytes: number): Promise<void> {
	for (const name of await readdir(logsDirectory)) {
		if (!name.endsWith(".log")) continue;
		const path = join(logsDirectory, name);
		if ((await stat(path)).size <= bytes) continue;
		await copyFile(path, `${path}.1`);
		await truncate(path);
	}
}
