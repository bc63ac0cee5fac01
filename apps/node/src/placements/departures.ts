import type { DesiredPlacement } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { Volumes } from "../host-storage.ts";
import type { Containers } from "./containers.ts";
import type { Queues } from "./queues.ts";
import type { Retry } from "./retry.ts";

export interface DepartureParts {
	find(projectId: string): DesiredPlacement | undefined;
	queues: Queues;
	containers: Pick<Containers, "stop">;
	volumes: Pick<Volumes, "remove">;
	/** Removes what the node has of a project that is gone for good, its volume aside; harmless when there is nothing. */
	forgetProject?: ((projectId: string) => Promise<void>) | undefined;
	/** Stores what is in no checkpoint of a project that is another node's now, then removes all that the node has of it. */
	leaveProject?: ((projectId: string) => Promise<void>) | undefined;
	/** Nothing is left of it here. */
	onGone(projectId: string): void;
	retry: Pick<Retry, "later">;
	log: Logger;
}

/** Projects that go from this node: for good, or to another one. */
export interface Departures {
	/** Harmless while it is under way. Nobody waits for it: it may take as long as the object store does. */
	begin(projectId: string): void;
	/** For what a project went of which nothing is left here. */
	departed(projectId: string): "purged" | "left" | undefined;
	/** The site may want some of them here again. */
	desiredChanged(): void;
}

export function createDepartures(parts: DepartureParts): Departures {
	const { find, queues, log } = parts;
	const gone = new Map<string, "purged" | "left">();
	const underWay = new Set<string>();

	/** @returns for what, or null when the site wants it here again by now. */
	async function clearAway(projectId: string): Promise<"purged" | "left" | null> {
		const want = find(projectId)?.want;
		if (want !== "purged" && want !== "left") return null;
		await parts.containers.stop(projectId);
		if (want === "left") await parts.leaveProject?.(projectId);
		else await parts.forgetProject?.(projectId);
		// The volume goes last: while it is there, a removal that was cut off is seen to be one.
		await parts.volumes.remove(projectId);
		return want;
	}

	async function depart(projectId: string): Promise<void> {
		try {
			const want = await queues.run(projectId, () => clearAway(projectId));
			if (want === null || find(projectId)?.want !== want) return;
			log.info({ projectId, want }, "nothing of the project is on this node any more");
			gone.set(projectId, want);
			parts.onGone(projectId);
		} catch (error) {
			log.error({ err: error, projectId }, "a project could not be cleared away; it is tried again");
			parts.retry.later();
		} finally {
			underWay.delete(projectId);
		}
	}

	return {
		begin(projectId) {
			if (underWay.has(projectId)) return;
			underWay.add(projectId);
			void depart(projectId);
		},
		departed: (projectId) => gone.get(projectId),
		desiredChanged() {
			for (const [projectId, want] of gone) if (find(projectId)?.want !== want) gone.delete(projectId);
		},
	};
}
