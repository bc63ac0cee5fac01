import type { ObjectStore } from "@repldock/objects";
import type { Checkpoint, ManifestQuestion } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { Checkpoints } from "../checkpoints/checkpoints.ts";
import { compareTrees } from "../host/files/compare.ts";
import { openProjectFiles } from "../host/files/project-files.ts";
import { openTwins } from "../host/files/same-bytes.ts";
import { openStaging } from "../host/files/staging.ts";
import { walkPath, walkTree } from "../host/files/walk.ts";
import type { RunnerId } from "../host/subordinate-ids.ts";
import { createVersionPlaces } from "../host/version-places.ts";
import type { Volumes } from "../host-storage.ts";
import type { Turns } from "../transfer/turns.ts";
import type { Workspaces } from "../workspace/workspaces.ts";
import type { ShelfLimits } from "./limits.ts";
import { createShelf } from "./shelf.ts";
import { createVersions, type Versions } from "./versions.ts";

/** Versions of this node's projects. Removes what an agent that died had fetched. */
export async function startVersions(options: {
	store: ObjectStore;
	/** Where the volumes are mounted. */
	mountPoint: string;
	volumes: Volumes;
	owner: RunnerId;
	checkpoints: Pick<Checkpoints, "save" | "bringUpToDate" | "reports" | "isKept">;
	standStill<T>(projectId: string, work: () => Promise<T>): Promise<T>;
	manifest(question: ManifestQuestion): Promise<Checkpoint[]>;
	workspaces: Workspaces;
	ensureVolume(projectId: string): Promise<void>;
	writeDocuments(projectId: string): Promise<boolean>;
	/** The project's quota. */
	quota(projectId: string): number;
	turns: Turns;
	limits?: Partial<ShelfLimits>;
	log: Logger;
}): Promise<Versions> {
	const { checkpoints, volumes, owner } = options;
	const shelf = createShelf({
		...options,
		places: createVersionPlaces(options.mountPoint),
		unreported: checkpoints.reports.unreported,
		isKept: checkpoints.isKept,
	});
	await shelf.recover();
	return createVersions({
		...options,
		shelf,
		checkpoint: checkpoints.save,
		bringUpToDate: checkpoints.bringUpToDate,
		stage: (projectId) => openStaging(volumes.path(projectId), owner),
		readFiles: (root) => openProjectFiles(root, owner),
		freeze: ({ path, usedBytes, release }) => ({
			walk: (skips) => walkTree(path, skips),
			walkPath: (inner) => walkPath(path, inner),
			usedBytes,
			release: async () => release(),
		}),
		compare: compareTrees,
		openTwins,
	});
}
