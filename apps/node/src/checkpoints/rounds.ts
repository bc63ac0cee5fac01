import { type ObjectStore, ObjectStoreError } from "@repldock/objects";
import { createBackoff, type Logger } from "@repldock/service";
import type { SnapshotName, SnapshotSurvey, Snapshots } from "../host-storage.ts";
import { extendChain, isBaseFrom } from "./chain.ts";
import { createLook } from "./lag.ts";
import { promisedTime } from "./moment.ts";
import { type CheckpointState, snapshotsOf } from "./state.ts";
import { canCompact, createTaker, type Taken, type TakeParts } from "./take.ts";
import { type Uploaded, upload } from "./upload.ts";
import { refuseAll, type Wish, type Wishes } from "./wishes.ts";

export interface RoundParts extends Pick<TakeParts, "placement" | "writeDocuments"> {
	store: ObjectStore;
	snapshots: Snapshots;
	state: CheckpointState;
	wishes: Wishes;
	/** Projects that have come to rest and whose chains are to be short. */
	resting: Set<string>;
	/** Names this node's packs; null until the site has named the node: nothing is stored before. */
	nodeId(): string | null;
	onDurability(projectId: string): void;
	log: Logger;
	/** Shortest and longest time, in milliseconds, before a store that failed is tried again. */
	retry?: { firstMs: number; mostMs: number };
	/** Aborts what is being stored. */
	signal: AbortSignal;
}

function localProblem(error: unknown): string {
	const isFull = error instanceof Error && /ENOSPC|No space left/.test(error.message);
	return isFull ? "The server's disk is full. Your operator has to make room." : "The server could not store it.";
}

/** A snapshot that is in the store. */
interface Done {
	one: Taken;
	uploaded: Uploaded;
}

const retryTimes = { firstMs: 1_000, mostMs: 60_000 };

/** Rounds: what changed becomes durable, in one look at all volumes. One at a time. */
export function createRounds(parts: RoundParts) {
	const { store, snapshots, state, wishes, resting, log } = parts;
	const { durable, problems, reports, behind } = state;
	const look = createLook(behind);
	const { firstMs, mostMs } = parts.retry ?? retryTimes;
	const backoff = createBackoff(firstMs, mostMs);
	let notBeforeMs = 0;
	const takeAll = createTaker({
		...parts,
		failed,
		foreign(projectId, wished) {
			behind.delete(projectId);
			refuseAll(wished, new Error("the volume is not this node's to store"));
		},
	});

	const isChanged = (projectId: string, survey: SnapshotSurvey) =>
		durable.get(projectId)?.changes !== survey.volumes.get(projectId);

	function isDirty(projectId: string, survey: SnapshotSurvey): boolean {
		if (wishes.has(projectId) || isChanged(projectId, survey)) return true;
		return resting.has(projectId) && canCompact(durable.get(projectId));
	}

	function failed(projectId: string, wished: readonly Wish[], error: unknown) {
		log.error({ err: error, projectId }, "a checkpoint failed; it is tried again");
		const why = error instanceof ObjectStoreError ? error.message : localProblem(error);
		if (problems.get(projectId) !== why) {
			problems.set(projectId, why);
			parts.onDurability(projectId);
		}
		refuseAll(wished, error);
	}

	/** @returns what was stored; the snapshots of the rest are useless from then on. */
	async function bring(taken: readonly Taken[], nodeId: string, useless: SnapshotName[]) {
		const byPending = new Map(taken.map((one) => [one.pending, one]));
		const done: Done[] = [];
		let storeFailed = false;
		const refusals: string[] = [];
		await upload(
			{ store, snapshots, nodeId },
			[...byPending.keys()],
			{
				uploaded(uploads) {
					for (const uploaded of uploads) done.push({ one: byPending.get(uploaded.pending) as Taken, uploaded });
				},
				failed(pendings, error) {
					storeFailed = true;
					if (error instanceof ObjectStoreError) refusals.push(error.message);
					for (const pending of pendings) {
						useless.push(pending.snapshot);
						failed(pending.checkpoint.projectId, byPending.get(pending)?.wished ?? [], error);
					}
				},
			},
			parts.signal,
		);
		const problem = refusals.at(-1);
		if (problem !== undefined) state.storeFailure = { at: new Date().toISOString(), problem };
		else if (done.length > 0) state.storeFailure = null;
		return { done, storeFailed };
	}

	function setDurable({ one, uploaded }: Done, counted: SnapshotSurvey) {
		const { projectId, generation, sequence, bytes } = uploaded.checkpoint;
		const before = durable.get(projectId);
		const changes = counted.snapshots.get(projectId)?.get(one.pending.snapshot.name);
		const id = { projectId, generation, sequence };
		const chain = extendChain(one.base?.chain ?? null, bytes);
		const isNewBase = chain.increments === 0 || (one.compacts && isBaseFrom(chain, bytes));
		if (one.written) state.moments.set(projectId, one.moment);
		// Should it have changed since, the next look finds it, from the look of this round on.
		behind.delete(projectId);
		durable.set(projectId, {
			...id,
			upTo: one.written ? promisedTime(one.moment) : (before?.upTo ?? null),
			changes: changes ?? 0,
			chain,
			base: isNewBase ? { id, chain } : (before?.base ?? null),
			hasSnapshot: true,
		});
	}

	/**
	 * Remembers what was stored, on disk too. When that cannot be, nothing of it counts: whoever comes after a crash would not
	 * know of it, and the next round stores it again.
	 * @returns whether it could.
	 */
	async function remember(done: readonly Done[], counted: SnapshotSurvey, useless: SnapshotName[]): Promise<boolean> {
		if (done.length === 0) return true;
		const checkpoints = done.map(({ uploaded }) => uploaded.checkpoint);
		const previous = checkpoints.map(({ projectId }) => {
			const [moment, sinceMs] = [state.moments.get(projectId), behind.get(projectId)];
			return { projectId, before: durable.get(projectId), moment, sinceMs };
		});
		for (const each of done) setDurable(each, counted);
		reports.add(checkpoints);
		try {
			await state.save();
		} catch (error) {
			for (const { projectId, before, moment, sinceMs } of previous) {
				putBack(durable, projectId, before);
				putBack(state.moments, projectId, moment);
				putBack(behind, projectId, sinceMs);
			}
			reports.forget(checkpoints);
			for (const { one } of done) {
				useless.push(one.pending.snapshot);
				failed(one.pending.checkpoint.projectId, one.wished, error);
			}
			return false;
		}
		for (const { projectId, before } of previous) {
			useless.push(...snapshotsOf(before));
			resting.delete(projectId);
		}
		return true;
	}

	return {
		/** Whether the store did not fail a moment ago. */
		isDue: () => performance.now() >= notBeforeMs,

		async run(): Promise<void> {
			const nodeId = parts.nodeId();
			if (nodeId === null) return;
			await snapshots.flush();
			const survey = await snapshots.survey();
			look(new Set([...survey.volumes.keys()].filter((projectId) => isChanged(projectId, survey))));
			const dirty = [...survey.volumes.keys()].filter((projectId) => isDirty(projectId, survey));
			for (const projectId of resting) if (!dirty.includes(projectId)) resting.delete(projectId);
			if (dirty.length === 0) return;
			const taken = await takeAll(dirty);
			const counted = await snapshots.survey();
			const useless: SnapshotName[] = [];
			const { done, storeFailed } = await bring(taken, nodeId, useless);
			// Before the parents go: whoever finds the old state needs them.
			const isRemembered = await remember(done, counted, useless);
			for (const { one, uploaded } of isRemembered ? done : []) {
				problems.delete(uploaded.checkpoint.projectId);
				for (const wish of one.wished) wish.fulfil(uploaded.checkpoint);
				parts.onDurability(uploaded.checkpoint.projectId);
			}
			reports.tell();
			await state.removeUnkept(useless);
			const hasFailed = storeFailed || !isRemembered;
			if (!hasFailed) backoff.reset();
			notBeforeMs = hasFailed ? performance.now() + backoff.nextMs() : 0;
			if (!isRemembered) return;
			await state.saveLag().catch((error: unknown) => log.error({ err: error }, "what waits was not written down"));
		},
	};
}

function putBack<T>(map: Map<string, T>, key: string, value: T | undefined): void {
	if (value === undefined) map.delete(key);
	else map.set(key, value);
}
