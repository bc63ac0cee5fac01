import { RepldockError, type VersionChanges } from "@repldock/protocol";
import type { Volumes } from "../host-storage.ts";
import { createQueues } from "../placements/queues.ts";

export interface ComparisonParts {
	volumes: Pick<Volumes, "snapshot">;
	ensureVolume(projectId: string): Promise<void>;
	writeDocuments(projectId: string): Promise<boolean>;
	compare(before: string, after: string): Promise<VersionChanges>;
}

/** Under way or waiting; each walks two trees. */
const mostPerNode = 16;

/** What has changed since a version: one comparison of a project at a time, shared by those who wait for the same one. */
export function createComparisons(parts: ComparisonParts) {
	const queues = createQueues();
	const waiting = new Map<string, Promise<VersionChanges>>();
	let count = 0;

	async function run(projectId: string, versionPath: string): Promise<VersionChanges> {
		await parts.ensureVolume(projectId);
		await parts.writeDocuments(projectId);
		const present = await parts.volumes.snapshot(projectId);
		try {
			return await parts.compare(versionPath, present.path);
		} finally {
			await present.release();
		}
	}

	/** @throws RepldockError `too_many_requests` */
	return async function compare(projectId: string, versionPath: string): Promise<VersionChanges> {
		const shared = waiting.get(versionPath);
		if (shared) return shared;
		if (count >= mostPerNode) {
			throw new RepldockError("too_many_requests", "Many versions are being compared. Try again in a moment.");
		}
		count += 1;
		const result = queues
			.run(projectId, () => {
				// Whoever asks from now on means what comes after this look.
				waiting.delete(versionPath);
				return run(projectId, versionPath);
			})
			.finally(() => {
				count -= 1;
			});
		waiting.set(versionPath, result);
		return result;
	};
}
