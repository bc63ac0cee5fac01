import { setTimeout as wait } from "node:timers/promises";
import {
	type Checkpoint,
	type CheckpointKind,
	RepldockError,
	type Version,
	type VersionChanges,
	type VersionRestored,
} from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { FrozenVersion, ProjectFiles } from "../host-files.ts";
import type { Volumes } from "../host-storage.ts";
import { createQueues } from "../placements/queues.ts";
import type { Turns } from "../transfer/turns.ts";
import type { Workspaces } from "../workspace/workspaces.ts";
import { idOf } from "./chain.ts";
import { createComparisons } from "./comparisons.ts";
import { type RestoreParts, restoreAll, restoreOne } from "./restore.ts";
import type { HeldVersion, Reader, Shelf } from "./shelf.ts";

export interface VersionsOptions extends Omit<RestoreParts, "volumes"> {
	shelf: Shelf;
	volumes: Pick<Volumes, "measure" | "setQuota" | "snapshot">;
	workspaces: Workspaces;
	/** @throws RepldockError `timed_out` when the object store does not take it. */
	checkpoint(projectId: string, kind: CheckpointKind, name?: string): Promise<Checkpoint>;
	/** Makes all that the project is now durable, as far as that is possible. */
	bringUpToDate(projectId: string): Promise<boolean>;
	/** Does work while none of the project's programs runs. */
	standStill<T>(projectId: string, work: () => Promise<T>): Promise<T>;
	ensureVolume(projectId: string): Promise<void>;
	/** Writes what people typed into files. @returns false when some of it cannot be. */
	writeDocuments(projectId: string): Promise<boolean>;
	readFiles(root: string): ReadableFiles;
	freeze(held: HeldVersion): FrozenVersion;
	compare(before: string, after: string): Promise<VersionChanges>;
	turns: Turns;
	log: Logger;
}

export type ReadableFiles = Pick<ProjectFiles, "list" | "openFile" | "stat">;

/** A project's versions, on the node that has its files. All throw what `Shelf.take` throws. */
export interface Versions {
	/** The files as they are now, kept under a name. @throws RepldockError `timed_out` when the object store does not take it. */
	save(projectId: string, name: string): Promise<Version>;
	/** The version's files, until they are released. */
	open(projectId: string, versionId: string, reader: Reader): Promise<{ files: ReadableFiles; release(): void }>;
	/** The same, to be walked. */
	freeze(projectId: string, versionId: string, reader: Reader): Promise<FrozenVersion>;
	/** What differs between the version and the files as they are now, what people typed included. */
	changes(projectId: string, versionId: string, reader: Reader): Promise<VersionChanges>;
	/**
	 * Brings back a file or folder, or all: whole or not at all. What was there before is stored first.
	 * @throws RepldockError `timed_out` when it cannot be, `file_not_found`, `invalid_path`, `quota_exceeded`, and
	 *   `too_many_requests` while an import or another restore is under way; then nothing has changed.
	 */
	restore(projectId: string, versionId: string, reader: Reader, path?: string): Promise<VersionRestored>;
	/** Removes what is here of a project that is gone for good. */
	forget(projectId: string): Promise<void>;
	close(): void;
}

/** How long programs stand still at most for what they wrote last to be stored. */
const standStillMs = 20_000;

export function createVersions(options: VersionsOptions): Versions {
	const { shelf, workspaces, log } = options;
	const compare = createComparisons(options);
	const saves = createQueues();

	/** One after another: those that come in one round would share one name. */
	function checkpoint(projectId: string, kind: CheckpointKind, name?: string): Promise<Checkpoint> {
		return saves.run(projectId, () => options.checkpoint(projectId, kind, name));
	}

	async function keepPresent(projectId: string): Promise<Version> {
		try {
			return toVersion(await within(standStillMs, checkpoint(projectId, "before-restore")));
		} catch (cause) {
			throw new RepldockError(
				"timed_out",
				"Nothing was restored: what is there now has to be stored first, so that you can go back to it, and the object store does not take it. Try again later.",
				{ cause },
			);
		}
	}

	/** Runs work on a version, which stays until it is done. */
	async function withVersion<T>(
		projectId: string,
		versionId: string,
		reader: Reader,
		work: (version: FrozenVersion, held: HeldVersion) => Promise<T>,
	): Promise<T> {
		const held = await shelf.take(projectId, versionId, reader);
		try {
			return await work(options.freeze(held), held);
		} finally {
			held.release();
		}
	}

	return {
		async save(projectId, name) {
			await options.ensureVolume(projectId);
			return toVersion(await checkpoint(projectId, "named", name));
		},

		async open(projectId, versionId, reader) {
			const held = await shelf.take(projectId, versionId, reader);
			return { files: options.readFiles(held.path), release: held.release };
		},

		async freeze(projectId, versionId, reader) {
			return options.freeze(await shelf.take(projectId, versionId, reader));
		},

		changes: (projectId, versionId, reader) =>
			withVersion(projectId, versionId, reader, (_version, { path }) => compare(projectId, path)),

		restore(projectId, versionId, reader, path = "") {
			if (path.split("/").some((name) => name.startsWith(".repldock-"))) {
				throw new RepldockError("invalid_path", "Files of this name are Repldock's own and cannot be restored.");
			}
			return options.turns.take(projectId, () =>
				withVersion(projectId, versionId, reader, async (version, held) => {
					const startedAtMs = performance.now();
					const workspace = await workspaces.open(projectId);
					// Before anything is stored for its sake.
					if (path !== "") await options.readFiles(held.path).stat(path);
					// Most of what is to be kept is stored while programs go on.
					await options.bringUpToDate(projectId);
					const undo = await options.standStill(projectId, async () => {
						const kept = await keepPresent(projectId);
						if (path === "") await restoreAll(options, workspace, version);
						else await restoreOne(options, workspace, version, path);
						return kept;
					});
					const tookMs = performance.now() - startedAtMs;
					log.info({ projectId, versionId, undo: undo.id, whole: path === "", tookMs }, "version restored");
					return { undo };
				}),
			);
		},

		forget: shelf.forget,
		close: shelf.close,
	};
}

/** @throws Error when it is not done in time; nobody waits for it any more. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
	work.catch(() => undefined);
	const overdue = new AbortController();
	try {
		return await Promise.race([
			work,
			wait(ms, undefined, { signal: overdue.signal }).then(() => {
				throw new Error(`it took longer than ${ms} ms`);
			}),
		]);
	} finally {
		overdue.abort();
	}
}

/** As it is in the moment in which it was made. */
function toVersion(checkpoint: Checkpoint): Version {
	const { kind, name, takenAt } = checkpoint;
	return { id: idOf(checkpoint), kind, name, takenAt, recovered: false, current: true };
}
