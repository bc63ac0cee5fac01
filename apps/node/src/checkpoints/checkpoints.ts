import { ObjectStoreError } from "@repldock/objects";
import {
	type Checkpoint,
	type CheckpointId,
	type CheckpointKind,
	type DesiredPlacement,
	type Durability,
	RepldockError,
} from "@repldock/protocol";
import type { SnapshotName, SnapshotSurvey } from "../host-storage.ts";
import { endChain } from "./chain.ts";
import { type Lag, lagOf } from "./lag.ts";
import { createLeave } from "./leave.ts";
import { promisedTime } from "./moment.ts";
import { createReferences } from "./references.ts";
import type { Reports } from "./reports.ts";
import { createRounds, type RoundParts } from "./rounds.ts";
import { createSources, type SourceParts } from "./sources.ts";
import { openState, snapshotOf, snapshotsOf } from "./state.ts";
import { createWishes, refuseAll } from "./wishes.ts";

export interface CheckpointsOptions
	extends Omit<RoundParts, "state" | "wishes" | "resting" | "signal">,
		Pick<SourceParts, "volumes" | "manifest"> {
	stateFile: string;
	report(checkpoints: readonly Checkpoint[]): void;
}

/** What of this node's volumes is in the object store, and brings there what is not. */
export interface Checkpoints {
	/** Removes snapshots that a crash left half-way. Call once, first. */
	recover(): Promise<void>;
	/** Makes every volume that changed durable, unless the store failed a moment ago. Calls at once share one round. */
	round(): Promise<void>;
	/** As a round, and leaves projects that have come to rest such that a restore of them reads few objects. */
	settle(projectIds: readonly string[]): Promise<void>;
	/**
	 * Makes a volume as it is now durable, changed or not.
	 * @throws RepldockError `timed_out` when the store cannot take it now; it stays to be made durable.
	 */
	save(projectId: string, kind: CheckpointKind, name?: string): Promise<Checkpoint>;
	/**
	 * Makes all that the project is now durable, unless it is; what people typed included.
	 * @returns whether all of it is in the store, be it that there is no volume here.
	 */
	bringUpToDate(projectId: string): Promise<boolean>;
	/** Stores what tells of forks that nobody has opened. Nobody waits: it is tried again with every round. */
	refer(placements: readonly DesiredPlacement[]): void;
	/**
	 * Makes the volume of a project that is not new, if it is not here: as it was made durable, or as a copy of its origin's.
	 * @throws RepldockError `node_unreachable` when it cannot be had now.
	 */
	restore(placement: DesiredPlacement): Promise<void>;
	/** Whether the snapshot of a checkpoint is here, and whole. */
	isKept(id: CheckpointId): boolean;
	durability(projectId: string): Durability;
	/** How far all volumes are behind; as the last look found it. */
	lag(): Lag;
	/** What is stored of these projects is damaged: where their volumes are here, the next round stores them in full. */
	storeAnew(projectIds: readonly string[]): Promise<void>;
	/**
	 * Lets go of a project that is another node's now: stores what of its volume is in no checkpoint, then removes it.
	 * @throws RepldockError `timed_out` while that cannot be; all of it is there then.
	 */
	leave(projectId: string): Promise<void>;
	/** Forgets a project that is gone for good. */
	forget(projectId: string): Promise<void>;
	reports: Reports;
	/** Makes all durable that can be in this time, as long as it takes when left out, and tries nothing again. */
	close(patienceMs?: number): Promise<void>;
}

/** No volume has this change count: it counts as changed. */
const neverCounted = -1;

export async function createCheckpoints(options: CheckpointsOptions): Promise<Checkpoints> {
	const { snapshots, log } = options;
	const state = await openState(options);
	const { durable, problems, reports } = state;
	const wishes = createWishes();
	const closing = new AbortController();
	const resting = new Set<string>();
	const references = createReferences({ ...options, state });
	const leave = createLeave({ ...options, state, inTurn, round: () => round(), forget });
	const bring = createSources({ ...options, state, inTurn, leave });
	const rounds = createRounds({ ...options, state, wishes, resting, signal: closing.signal });
	let turn: Promise<unknown> = Promise.resolve();
	let waitingRound: Promise<void> | undefined;

	/** Rounds, restores and removals of snapshots, one after another. */
	function inTurn<T>(work: () => Promise<T>): Promise<T> {
		const mine = turn.then(work, work);
		turn = mine.catch(() => undefined);
		return mine;
	}

	function round(): Promise<void> {
		waitingRound ??= inTurn(async () => {
			waitingRound = undefined;
			await rounds.run();
		});
		return waitingRound;
	}

	function forgetReports(recorded: readonly CheckpointId[], orphaned: readonly CheckpointId[]) {
		if (!reports.forget([...recorded, ...orphaned])) return;
		if (orphaned.length > 0) log.warn({ orphaned }, "checkpoints that restore nothing; full ones follow");
		const useless = state.giveUp(orphaned);
		for (const { projectId } of orphaned) options.onDurability(projectId);
		void inTurn(async () => {
			await state.save();
			await state.removeUnkept(useless);
		}).catch((error: unknown) => log.error({ err: error }, "recorded checkpoints were kept"));
	}

	/** Of what the site could not be told for too long a full checkpoint is told instead. */
	const giveUpOverdue = () => forgetReports([], reports.overdue(Date.now()));

	/** In turn. */
	async function forget(projectId: string): Promise<void> {
		const { snapshots: present } = await snapshots.survey();
		const useless = [...snapshotsOf(durable.get(projectId)), ...namesIn(present, projectId)];
		problems.delete(projectId);
		state.moments.delete(projectId);
		state.behind.delete(projectId);
		const wasHeld = state.held.delete(projectId);
		if (durable.delete(projectId) || wasHeld) await state.save();
		await state.removeUnkept(useless);
	}

	async function storeReferences() {
		await inTurn(references.store).catch((error: unknown) => {
			if (error instanceof ObjectStoreError)
				state.storeFailure = { at: new Date().toISOString(), problem: error.message };
			log.warn({ err: error }, "new forks are not in the object store yet; it is tried again");
		});
	}

	const saveLag = () =>
		state.saveLag().catch((error: unknown) => log.error({ err: error }, "what is not durable was not written down"));

	async function dueRound() {
		giveUpOverdue();
		reports.tell();
		// Of a round that takes longer than it is to the next one.
		await saveLag();
		if (!rounds.isDue() || closing.signal.aborted) return;
		await storeReferences();
		await round();
	}

	return {
		async recover() {
			const { snapshots: present } = await snapshots.survey();
			const isHere = (id: CheckpointId) => present.get(id.projectId)?.has(snapshotOf(id).name) === true;
			for (const [projectId, kept] of durable) {
				const base = kept.base && isHere(kept.base.id) ? kept.base : null;
				// The clock was set back: nothing is known until the next one, which is due.
				const isToCome = kept.upTo !== null && Date.parse(kept.upTo) > Date.now();
				const known = isToCome ? { ...kept, upTo: null, changes: neverCounted } : kept;
				// One that was lost is being received again under its name when an agent dies: what is there then is not whole.
				durable.set(projectId, { ...known, base, hasSnapshot: kept.hasSnapshot && isHere(kept) });
			}
			await state.removeUnkept(namesIn(present));
		},

		round: dueRound,

		async settle(projectIds) {
			for (const projectId of projectIds) resting.add(projectId);
			await dueRound();
		},

		async save(projectId, kind, name) {
			const saved = wishes.add(projectId, kind, name ?? null);
			await round();
			// Nobody could: the volume is not here, or not this node's.
			refuseAll(
				wishes.take(projectId),
				new Error("there is no such volume to store, or the site has not named this node"),
			);
			return saved.catch((cause: unknown) => {
				throw new RepldockError(
					"timed_out",
					"This was not saved: the object store does not take it. Try again later.",
					{ cause },
				);
			});
		},

		async bringUpToDate(projectId) {
			const written = await options.writeDocuments(projectId);
			await round();
			if (durable.has(projectId)) return written && !problems.has(projectId);
			return !(await options.volumes.exists(projectId));
		},

		refer(placements) {
			if (references.look(placements)) void storeReferences();
		},

		async restore(placement) {
			// Nobody waits for it: a copy that the store tells of outlives the loss of the database.
			if ((await bring(placement)) === "copied") void dueRound().catch(() => undefined);
		},

		isKept: state.isKept,

		durability(projectId) {
			const moment = state.moments.get(projectId);
			return {
				upTo: moment ? promisedTime(moment) : (durable.get(projectId)?.upTo ?? null),
				problem: problems.get(projectId) ?? null,
			};
		},

		lag: () => lagOf(state.behind, state.storeFailure),

		async storeAnew(projectIds) {
			await inTurn(async () => {
				for (const projectId of projectIds) {
					const kept = durable.get(projectId);
					if (!kept) continue;
					// No volume has changed this often: the next round finds it changed.
					durable.set(projectId, { ...kept, upTo: null, changes: -1, chain: endChain(kept.chain) });
					state.moments.delete(projectId);
					problems.set(projectId, "What was stored is damaged. It is being stored anew.");
					options.onDurability(projectId);
				}
				await state.save();
			});
		},

		async leave(projectId) {
			// What cannot be written into files is in a journal of this node alone.
			if (!(await options.writeDocuments(projectId))) {
				throw new RepldockError("timed_out", "What people typed in this project cannot be written into its files.");
			}
			await leave(projectId);
		},

		forget: (projectId) => inTurn(() => forget(projectId)),

		reports: {
			...reports,
			tellAgain() {
				giveUpOverdue();
				reports.tellAgain();
			},
			recorded: (ids, orphaned = []) => forgetReports(ids, orphaned),
			async told(withinMs) {
				await reports.told(withinMs);
				// Written down as well, lest the next agent tell it once more.
				await turn;
			},
		},

		async close(patienceMs) {
			const timer = patienceMs === undefined ? undefined : setTimeout(() => closing.abort(), patienceMs);
			await round().catch((error: unknown) => log.error({ err: error }, "the last checkpoints failed"));
			clearTimeout(timer);
			closing.abort();
			await turn;
			await saveLag();
		},
	};
}

/** All of them, or those of one project. */
function namesIn(present: SnapshotSurvey["snapshots"], of?: string): SnapshotName[] {
	return [...present].flatMap(([projectId, named]) =>
		of === undefined || of === projectId ? [...named.keys()].map((name) => ({ projectId, name })) : [],
	);
}
