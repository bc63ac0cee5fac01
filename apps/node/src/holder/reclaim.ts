import { setTimeout as delay } from "node:timers/promises";
import { createBackoff, type Logger } from "@repldock/service";
import type { Engine } from "../host.ts";
import { endMarked } from "./end-processes.ts";

/**
 * Ends the programs that an earlier holder left when it died: nobody can see or stop them any more. Waits for the
 * engine; call before anything is started.
 */
export async function reclaimPrograms(engine: Engine, log: Logger, signal: AbortSignal): Promise<void> {
	const backoff = createBackoff(50, 2_000);
	while (!signal.aborted) {
		try {
			const containers = await engine.listContainers();
			const running = containers.filter(({ pid }) => pid > 0);
			await Promise.all(running.map((container) => endMarked(container, { marker: null, root: null }, log)));
			return;
		} catch (error) {
			log.info({ err: error }, "the engine is not ready yet");
			await delay(backoff.nextMs());
		}
	}
}
