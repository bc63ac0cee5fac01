import { type ObjectStore, ObjectStoreError } from "@repldock/objects";
import { createBackoff, type Logger } from "@repldock/service";
import type { SnapshotName, SnapshotSurvey, Snapshots } from "../host.ts";
import { extendChain, isBaseFrom } from "./chain.ts";
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

const retryTimes = { firstMs: 1_000, mostMs: 60_000 };

/** Rounds: what changed becomes durable, in one look at all volumes. One at a time. */
export function createRounds(parts: RoundParts) {
	const { store, snapshots, state, wishes, resting, log } = parts;
	const { durable, problems, reports } = state;
	const { firstMs, mostMs } = parts.retry ?? retryTimes;
	const backoff = createBackoff(firstMs, mostMs);
	let notBeforeMs = 0;
	const takeAll = createTaker({
		...parts,
		failed,
		foreign: (wished) => refuseAll(wished, new Error("the volume is not this node's to store")),
	});

	function isDirty(projectId: string, survey: SnapshotSurvey): boolean {
		const before = durable.get(projectId);
		if (wishes.has(projectId) || before?.changes !== survey.volumes.get(projectId)) return true;
		return resting.has(projectId) && canCompact(before);
	}

	function failed(projectId: string, wished: readonly Wish[], error: unknown) {
		log.error({ err: error, projectId }, "a checkpoint failed; it is tried again");
		const why = error instanceof ObjectStoreError ? error.message : "The server could not store it.";
		if (problems.get(projectId) !== why) {
			problems.set(projectId, why);
			parts.onDurability(projectId);
		}
		refuseAll(wished, error);
	}

	/** @returns what was stored; the snapshots of the rest are useless from then on. */
	async function bring(taken: readonly Taken[], nodeId: string, useless: SnapshotName[]) {
		const byPending = new Map(taken.map((one) => [one.pending, one]));
		const done: { one: Taken; uploaded: Uploaded }[] = [];
		let storeFailed = false;
		await upload(
			{ store, snapshots, nodeId },
			[...byPending.keys()],
			{
				uploaded(uploads) {
					for (const uploaded of uploads) done.push({ one: byPending.get(uploaded.pending) as Taken, uploaded });
				},
				failed(pendings, error) {
					storeFailed = true;
					for (const pending of pendings) {
						useless.push(pending.snapshot);
						failed(pending.checkpoint.projectId, byPending.get(pending)?.wished ?? [], error);
					}
				},
			},
			parts.signal,
		);
		return { done, storeFailed };
	}

	return {
		/** Whether the store did not fail a moment ago. */
		isDue: () => performance.now() >= notBeforeMs,

		async run(): Promise<void> {
			const nodeId = parts.nodeId();
			if (nodeId === null) return;
			await snapshots.flush();
			const survey = await snapshots.survey();
			const dirty = [...survey.volumes.keys()].filter((projectId) => isDirty(projectId, survey));
			for (const projectId of resting) if (!dirty.includes(projectId)) resting.delete(projectId);
			if (dirty.length === 0) return;
			const taken = await takeAll(dirty);
			const counted = await snapshots.survey();
			const useless: SnapshotName[] = [];
			const { done, storeFailed } = await bring(taken, nodeId, useless);
			for (const { one, uploaded } of done) {
				const { projectId, generation, sequence, takenAt, bytes } = uploaded.checkpoint;
				const before = durable.get(projectId);
				useless.push(...snapshotsOf(before));
				const changes = counted.snapshots.get(projectId)?.get(one.pending.snapshot.name);
				const id = { projectId, generation, sequence };
				const chain = extendChain(one.base?.chain ?? null, bytes);
				const isNewBase = chain.increments === 0 || (one.compacts && isBaseFrom(chain, bytes));
				resting.delete(projectId);
				durable.set(projectId, {
					...id,
					upTo: one.written ? takenAt : (before?.upTo ?? null),
					changes: changes ?? 0,
					chain,
					base: isNewBase ? { id, chain } : (before?.base ?? null),
					hasSnapshot: true,
				});
			}
			reports.add(done.map(({ uploaded }) => uploaded.checkpoint));
			// Before the parents go: whoever finds the old state needs them.
			if (done.length > 0) await state.save();
			for (const { one, uploaded } of done) {
				problems.delete(uploaded.checkpoint.projectId);
				for (const wish of one.wished) wish.fulfil(uploaded.checkpoint);
				parts.onDurability(uploaded.checkpoint.projectId);
			}
			reports.tell();
			await state.removeUnkept(useless);
			if (!storeFailed) backoff.reset();
			notBeforeMs = storeFailed ? performance.now() + backoff.nextMs() : 0;
		},
	};
}
