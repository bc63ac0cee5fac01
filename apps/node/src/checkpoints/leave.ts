import { setTimeout as delay } from "node:timers/promises";
import { RepldockError } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { Snapshots, Volumes } from "../host-storage.ts";
import type { CheckpointState } from "./state.ts";

export interface LeaveParts {
	snapshots: Snapshots;
	volumes: Pick<Volumes, "exists" | "remove">;
	state: CheckpointState;
	/** Makes every volume that changed durable. */
	round(): Promise<void>;
	/** Runs work that makes or removes snapshots, when it is its turn. */
	inTurn<T>(work: () => Promise<T>): Promise<T>;
	/** Forgets what is known of a project, its snapshots included; to be called in turn. */
	forget(projectId: string): Promise<void>;
	log: Logger;
}

/** The site takes milliseconds to record what it is told; it may also be away. */
const recordedWithinMs = 10_000;
const lookEveryMs = 20;

/**
 * Lets go of volumes that are not the present ones of their projects any more. What is in no checkpoint is stored under the
 * generation that the volume was held under, which the site keeps as a recovered version; then the volume goes.
 */
export function createLeave({ snapshots, volumes, state, round, inTurn, forget, log }: LeaveParts) {
	const isReported = (projectId: string) => !state.reports.unreported().some((one) => one.projectId === projectId);

	async function isStored(projectId: string): Promise<boolean> {
		await snapshots.flush();
		const { volumes: counts } = await snapshots.survey();
		return state.durable.get(projectId)?.changes === counts.get(projectId) && !state.problems.has(projectId);
	}

	/** What the site refuses to record is stored once more, in full: until it has, the volume is all there is. */
	async function untilRecorded(projectId: string): Promise<void> {
		const endAtMs = performance.now() + recordedWithinMs;
		while (!isReported(projectId)) {
			if (performance.now() > endAtMs) throw notYet();
			await delay(lookEveryMs);
		}
	}

	/**
	 * Harmless when there is no volume.
	 * @throws RepldockError `timed_out` while something of it cannot be stored or recorded; it is all there then.
	 */
	return async function leave(projectId: string): Promise<void> {
		if (await volumes.exists(projectId)) {
			await round();
			await untilRecorded(projectId);
			if (!(await isStored(projectId))) throw notYet();
		}
		await inTurn(async () => {
			await volumes.remove(projectId);
			await forget(projectId);
		});
		log.info({ projectId }, "the volume of a project that is held elsewhere was given up");
	};
}

function notYet(): RepldockError {
	return new RepldockError(
		"timed_out",
		"An older copy of this project is on this server and has to be stored first. Try again in a minute.",
	);
}
