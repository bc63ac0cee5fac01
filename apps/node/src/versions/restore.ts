import { setImmediate as otherWork } from "node:timers/promises";
import { RepldockError } from "@repldock/protocol";
import type { FileTwins, FrozenVersion, Staging, TreeEntry } from "../host-files.ts";
import type { Volumes } from "../host-storage.ts";
import type { Workspace } from "../workspace/workspace.ts";

export interface RestoreParts {
	volumes: Pick<Volumes, "measure" | "setQuota" | "snapshot">;
	openTwins(root: string): FileTwins;
	stage(projectId: string): Promise<Staging>;
	/** The project's quota. @throws RepldockError `not_placed_here` */
	quota(projectId: string): number;
}

/** Room, beside the files themselves, for what a file system writes about them. */
const metadataBytes = 32 * 1024 * 1024;

/** Entries between which others have their turn. */
const entriesAtATime = 64;

/**
 * Puts a version's files in place of all that the project has: whole or not at all, also after a crash. Their bytes are
 * shared, not copied: with what the project has now, where they are the same, so that the next checkpoint holds what has
 * changed alone; else with the version.
 * @throws RepldockError `quota_exceeded` when the version needs more than the project's quota.
 */
export async function restoreAll(parts: RestoreParts, workspace: Workspace, version: FrozenVersion): Promise<void> {
	const { volumes, stage, quota } = parts;
	const { projectId } = workspace;
	const mostBytes = quota(projectId);
	if (version.usedBytes > mostBytes) throw tooLarge();
	const staging = await stage(projectId);
	try {
		// For a moment both are there. What the version needs was checked: the quota is exceeded by what goes afterwards.
		const { usedBytes } = await volumes.measure(projectId);
		const needed = usedBytes + version.usedBytes + metadataBytes;
		if (needed > mostBytes) await volumes.setQuota(projectId, needed);
		await withPresent(parts, projectId, (present) =>
			fill(
				staging,
				version.walk(() => false),
				present,
			),
		);
		await workspace.documents.withReplaced("", () => staging.replaceAll("whole"));
	} finally {
		await staging.discard().finally(() => volumes.setQuota(projectId, mostBytes));
		workspace.filesWritten(true);
	}
}

/**
 * Puts one file, link or folder of a version in place of what the project has there, in one step.
 * @throws RepldockError `file_not_found` when the version has nothing there, `invalid_path`, `quota_exceeded`.
 */
export async function restoreOne(
	{ volumes, stage, quota }: RestoreParts,
	workspace: Workspace,
	version: FrozenVersion,
	path: string,
): Promise<void> {
	const { projectId } = workspace;
	const staging = await stage(projectId);
	try {
		await fill(staging, version.walkPath(path));
		// Sharing bytes asks no quota.
		const { usedBytes } = await volumes.measure(projectId);
		if (usedBytes > quota(projectId)) throw tooLarge();
		await workspace.documents.withReplaced(path, () => staging.replaceOne(path));
	} finally {
		await staging.discard();
		workspace.filesWritten(true);
	}
}

/** Runs work with what the project has at this moment. */
async function withPresent(
	{ volumes, openTwins }: RestoreParts,
	projectId: string,
	work: (present: FileTwins) => Promise<void>,
): Promise<void> {
	const { path, release } = await volumes.snapshot(projectId);
	try {
		const present = openTwins(path);
		await work(present).finally(() => present.close());
	} finally {
		await release();
	}
}

async function fill(staging: Staging, entries: AsyncIterable<TreeEntry>, present?: FileTwins): Promise<void> {
	/** The first name of each file that has several. */
	const shared = new Map<string, readonly Buffer[]>();
	let count = 0;
	for await (const entry of entries) {
		count += 1;
		if (count % entriesAtATime === 0) await otherWork();
		const path = namesOf(entry.path);
		if (entry.kind === "directory") staging.addDirectory(path, entry.mode);
		else if (entry.kind === "link") staging.addLink(path, entry.target);
		else {
			const first = entry.sharedId === null ? undefined : shared.get(entry.sharedId);
			if (first) staging.addName(path, first);
			else await staging.addClone(path, entry, await present?.find(entry));
			if (entry.sharedId !== null && !first) shared.set(entry.sharedId, path);
		}
	}
}

function namesOf(path: Buffer): Buffer[] {
	return path
		.toString("latin1")
		.split("/")
		.map((name) => Buffer.from(name, "latin1"));
}

function tooLarge(): RepldockError {
	return new RepldockError(
		"quota_exceeded",
		"The project's disk has no room for these files. Delete what you no longer need, and try again.",
	);
}
