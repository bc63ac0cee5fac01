import { setTimeout as delay } from "node:timers/promises";
import { createBackoff, type Logger } from "@repldock/service";
import type { ContainerStatus, Engine } from "../host.ts";
import { endMarked } from "./end-processes.ts";
import { createProcessFinder } from "./processes.ts";

/** All that were started by a holder. */
const choice = { marker: null, root: null };

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
			await Promise.all(
				running.map((container) =>
					container.state === "paused" ? endPaused(engine, container) : endMarked(container, choice, log),
				),
			);
			return;
		} catch (error) {
			log.info({ err: error }, "the engine is not ready yet");
			await delay(backoff.nextMs());
		}
	}
}

/**
 * Programs that stand still can be ended with their container alone. The project sleeps on without it, and the next visit
 * starts its program again, as it would not if only the program were gone.
 */
async function endPaused(engine: Engine, container: ContainerStatus): Promise<void> {
	const hasPrograms = createProcessFinder(container.pid, choice)().length > 0;
	if (hasPrograms) await engine.stopContainer(container.id, 0);
}
