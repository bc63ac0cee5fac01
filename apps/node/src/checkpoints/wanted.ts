import type { DesiredPlacement, NodeToSite } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { Checkpoints } from "./checkpoints.ts";

/** Answers the site when it waits for what projects are now to be in the object store. */
export function createWanted(parts: {
	checkpoints: Pick<Checkpoints, "bringUpToDate">;
	tell(message: NodeToSite): void;
	log: Logger;
}) {
	const { checkpoints, tell, log } = parts;
	/** By project; an agent that begins anew answers once more what was answered. */
	const begun = new Map<string, number>();

	async function answer(projectId: string, wanted: number) {
		const upToDate = await checkpoints.bringUpToDate(projectId).catch((error: unknown) => {
			log.warn({ err: error, projectId }, "what the site waits for could not be stored");
			return false;
		});
		// What was stored was reported before, on the same socket: it is recorded by the time that this is heard.
		tell({ type: "checkpointAnswered", projectId, wanted, upToDate });
	}

	return function look(placements: readonly DesiredPlacement[]): void {
		for (const { projectId, checkpointWanted } of placements) {
			if (checkpointWanted === undefined || checkpointWanted <= (begun.get(projectId) ?? 0)) continue;
			begun.set(projectId, checkpointWanted);
			void answer(projectId, checkpointWanted);
		}
	};
}
