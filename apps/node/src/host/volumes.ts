import { randomBytes } from "node:crypto";
import { chmod, chown, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { RepldockError } from "@repldock/protocol";
import { runCommand } from "@repldock/service";
import type { Volumes } from "../host-storage.ts";
import {
	createSubvolume,
	deleteSubvolume,
	limitSubvolume,
	removeStaleCounters,
	type SubvolumeUsage,
	snapshotSubvolume,
	subvolumeUsage,
	syncFileSystem,
} from "./btrfs.ts";
import { copyTree } from "./copy-tree.ts";
import type { RunnerId } from "./subordinate-ids.ts";

const projectIdPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const draftPattern = /^\.[0-9a-f-]{36}\.(?:new|gone|[0-9a-f]{16}\.snapshot)$/;

/** Usage is asked for by every page that is open, but changes with commits only. */
const usageLifetimeMs = 1_000;

/**
 * The node's volumes, on a file system that `mountVolumes` mounted. Call `reclaim` once before anything else.
 * @param options.owner who owns the files: the containers' user as the host sees it.
 */
export function createVolumes(options: { mountPoint: string; owner: RunnerId }): Volumes & {
	/** Removes what a crash left half-made or half-removed. */
	reclaim(): Promise<void>;
} {
	const { mountPoint, owner } = options;
	const usages = new Map<string, { at: number; usage: Promise<SubvolumeUsage> }>();
	const lastJobs = new Map<string, Promise<unknown>>();

	function path(projectId: string): string {
		if (!projectIdPattern.test(projectId)) throw new RepldockError("invalid_input", "This is not a project id.");
		return join(mountPoint, projectId);
	}

	/** Hidden names for what is not whole (`new`) or not wanted any more (`gone`). */
	const draft = (projectId: string, state: "new" | "gone") => join(mountPoint, `.${projectId}.${state}`);

	/** One change of a volume at a time. */
	function inTurn<T>(projectId: string, job: () => Promise<T>): Promise<T> {
		const before = lastJobs.get(projectId) ?? Promise.resolve();
		const mine = before.then(job, job);
		lastJobs.set(projectId, mine);
		const forget = () => {
			if (lastJobs.get(projectId) === mine) lastJobs.delete(projectId);
		};
		mine.then(forget, forget);
		return mine;
	}

	async function seed(target: string, seedDirectory: string): Promise<void> {
		await copyTree(seedDirectory, target, owner);
		await chown(target, owner.uid, owner.gid);
		await chmod(target, 0o700);
	}

	/** Its limit and its files, side by side: nobody sees it before both are done, and neither works on when one failed. */
	async function furnish(target: string, diskBytes: number, files: Promise<void>): Promise<void> {
		const results = await Promise.allSettled([limitSubvolume(target, diskBytes), files]);
		for (const result of results) if (result.status === "rejected") throw result.reason;
	}

	/** Subordinate ids differ from machine to machine; files of a snapshot have those of the node that took it. */
	async function takeOver(target: string): Promise<void> {
		const { uid, gid } = await stat(target);
		if (uid === owner.uid && gid === owner.gid) return;
		const ids = `${owner.uid}:${owner.gid}`;
		await runCommand("chown", ["--recursive", "--no-dereference", ids, "--", target], { timeoutMs: 600_000 });
	}

	function usage(projectId: string): Promise<SubvolumeUsage> {
		const known = usages.get(projectId);
		if (known && performance.now() - known.at < usageLifetimeMs) return known.usage;
		const read = subvolumeUsage(path(projectId));
		usages.set(projectId, { at: performance.now(), usage: read });
		// A failure is told to those who wait for it, and not kept.
		read.catch(() => usages.delete(projectId));
		return read;
	}

	return {
		path,

		async create(projectId, seedDirectory, diskBytes) {
			const place = path(projectId);
			await inTurn(projectId, async () => {
				if (await exists(place)) return;
				const fresh = draft(projectId, "new");
				if (await exists(fresh)) await deleteSubvolume(mountPoint, fresh);
				await createSubvolume(fresh);
				await furnish(fresh, diskBytes, seed(fresh, seedDirectory));
				await rename(fresh, place);
			});
		},

		async createFrom(projectId, snapshotPath, diskBytes) {
			const place = path(projectId);
			await inTurn(projectId, async () => {
				if (await exists(place)) return;
				const fresh = draft(projectId, "new");
				if (await exists(fresh)) await deleteSubvolume(mountPoint, fresh);
				await snapshotSubvolume(snapshotPath, fresh, "writable");
				await furnish(fresh, diskBytes, takeOver(fresh));
				await rename(fresh, place);
			});
		},

		async exists(projectId) {
			return exists(path(projectId));
		},

		async setQuota(projectId, diskBytes) {
			usages.delete(projectId);
			await limitSubvolume(path(projectId), diskBytes);
		},

		usage,

		async measure(projectId) {
			await syncFileSystem(mountPoint);
			usages.delete(projectId);
			return usage(projectId);
		},

		async remove(projectId) {
			const place = path(projectId);
			await inTurn(projectId, async () => {
				usages.delete(projectId);
				const gone = draft(projectId, "gone");
				if (await exists(gone)) await deleteSubvolume(mountPoint, gone);
				if (!(await exists(place))) return;
				await rename(place, gone);
				await deleteSubvolume(mountPoint, gone);
				await removeStaleCounters(mountPoint);
			});
		},

		async snapshot(projectId) {
			const place = path(projectId);
			const frozen = join(mountPoint, `.${projectId}.${randomBytes(8).toString("hex")}.snapshot`);
			await inTurn(projectId, () => snapshotSubvolume(place, frozen, "writable"));
			let released: Promise<void> | undefined;
			return {
				path: frozen,
				release() {
					released ??= deleteSubvolume(mountPoint, frozen).then(() => removeStaleCounters(mountPoint));
					return released;
				},
			};
		},

		async list() {
			return (await readdir(mountPoint)).filter((name) => projectIdPattern.test(name));
		},

		async reclaim() {
			for (const name of await readdir(mountPoint)) {
				if (draftPattern.test(name)) await deleteSubvolume(mountPoint, join(mountPoint, name));
			}
			await removeStaleCounters(mountPoint);
		},
	};
}

async function exists(path: string): Promise<boolean> {
	try {
		await stat(path);
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
		throw error;
	}
}
