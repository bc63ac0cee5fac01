import type { Logger } from "@repldock/service";
import type { Engine } from "../host.ts";
import type { Containers } from "./containers.ts";

/**
 * Lets the programs of a running container stand still while work is done with its files. Call it in the project's turn,
 * so that nobody starts, wakes or stops it meanwhile; to everybody else it runs. An agent that dies in between leaves it
 * paused, which the next one takes for asleep, and wakes.
 * @throws what the work throws, and EngineError when the engine cannot let it stand still: then nothing was done.
 */
export async function whileStandingStill<T>(
	{ engine, containers, log }: { engine: Engine; containers: Pick<Containers, "running">; log: Logger },
	projectId: string,
	work: () => Promise<T>,
): Promise<T> {
	const container = containers.running(projectId);
	if (!container) return work();
	const { containerId } = container;
	try {
		await engine.pauseContainer(containerId);
		return await work();
	} finally {
		// What stands still in part must not stay so; one that ended meanwhile is cleared away by the news of its end.
		await engine.unpauseContainer(containerId).catch((error: unknown) => {
			log.warn({ err: error, projectId }, "there was nothing to let go on");
		});
	}
}
