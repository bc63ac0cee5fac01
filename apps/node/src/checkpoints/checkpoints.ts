import { type ObjectStore, ObjectStoreError } from "@repldock/objects";
import {
	type Checkpoint,
	type CheckpointId,
	type CheckpointKind,
	type DesiredPlacement,
	type Durability,
	type ManifestQuestion,
	RepldockError,
} from "@repldock/protocol";
import { createBackoff, type Logger } from "@repldock/service";
import type { SnapshotName, SnapshotSurvey, Snapshots, Volumes } from "../host.ts";
import { extendChain, isFullDue } from "./chain.ts";
import { type Moment, promisedTime, thisMoment } from "./moment.ts";
import { createReports, type Reports } from "./reports.ts";
import { restoreVolume } from "./restore.ts";
import { type Durable, readCheckpoints, writeCheckpoints } from "./state-file.ts";
import { type Pending, type Uploaded, upload } from "./upload.ts";

export interface CheckpointsOptions {
	store: ObjectStore;
	snapshots: Snapshots;
	volumes: Volumes;
	stateFile: string;
	/** Names this node's packs; null until the site has named the node: nothing is stored before. */
	nodeId(): string | null;
	placement(projectId: string): DesiredPlacement | undefined;
	/** Writes what people typed into files. @returns false when some of it cannot be. */
	writeDocuments(projectId: string): Promise<boolean>;
	/** What restores a project. @throws RepldockError `node_unreachable` when the site does not answer. */
	manifest(question: ManifestQuestion): Promise<Checkpoint[]>;
	report(checkpoints: readonly Checkpoint[]): void;
	onDurability(projectId: string): void;
	log: Logger;
	/** Shortest and longest time, in milliseconds, before a store that failed is tried again. */
	retry?: { firstMs: number; mostMs: number };
}

/** What of this node's volumes is in the object store, and brings there what is not. */
export interface Checkpoints {
	/** Removes snapshots that a crash left half-way. Call once, first. */
	recover(): Promise<void>;
	/** Makes every volume that changed durable, unless the store failed a moment ago. Calls at once share one round. */
	round(): Promise<void>;
	/**
	 * Makes a volume as it is now durable, changed or not.
	 * @throws RepldockError `timed_out` when the store cannot take it now; it stays to be made durable.
	 */
	save(projectId: string, kind: CheckpointKind, name?: string): Promise<Checkpoint>;
	/** Makes the volume of a project that came from the object store, if it is not here. */
	restore(placement: DesiredPlacement): Promise<void>;
	durability(projectId: string): Durability;
	/** Forgets a project that is gone for good. */
	forget(projectId: string): Promise<void>;
	reports: Reports;
	/** Makes all durable that can be, and tries nothing again. */
	close(): Promise<void>;
}

interface Taken {
	pending: Pending;
	moment: Moment;
	/** Whether all that people typed is in it. */
	written: boolean;
	wished: readonly Wish[];
}

interface Wish {
	kind: CheckpointKind;
	name: string | null;
	fulfil(checkpoint: Checkpoint): void;
	refuse(error: unknown): void;
}

const retryTimes = { firstMs: 1_000, mostMs: 60_000 };

/** Snapshots taken side by side share the commits of the file system. */
const snapshotsAtATime = 8;

/** No volume has this change count: it counts as changed. */
const neverCounted = -1;

function localProblem(error: unknown): string {
	const isFull = error instanceof Error && /ENOSPC|No space left/.test(error.message);
	return isFull ? "The server's disk is full. Your operator has to make room." : "The server could not store it.";
}

const snapshotName = ({ generation, sequence }: { generation: number; sequence: number }) =>
	`${generation}.${sequence}`;

export async function createCheckpoints(options: CheckpointsOptions): Promise<Checkpoints> {
	const { store, snapshots, log } = options;
	const state = await readCheckpoints(options.stateFile);
	const durable = new Map<string, Durable>(Object.entries(state.durable));
	/** When the latest durable checkpoints were taken; those of an earlier agent are known by the clock's time alone. */
	const moments = new Map<string, Moment>();
	const problems = new Map<string, string>();
	const wishes = new Map<string, Wish[]>();
	const { firstMs, mostMs } = options.retry ?? retryTimes;
	const backoff = createBackoff(firstMs, mostMs);
	const reports = createReports(state.unreported, options.report);
	const closing = new AbortController();
	let notBeforeMs = 0;
	// The clock may have been set back since.
	let lastSequence = Math.max(0, ...[...durable.values(), ...state.unreported].map(({ sequence }) => sequence));
	let turn: Promise<unknown> = Promise.resolve();
	let waitingRound: Promise<void> | undefined;

	/** Rounds, restores and removals of snapshots, one after another. */
	function inTurn<T>(work: () => Promise<T>): Promise<T> {
		const mine = turn.then(work, work);
		turn = mine.catch(() => undefined);
		return mine;
	}

	function save(): Promise<void> {
		return writeCheckpoints(options.stateFile, {
			durable: Object.fromEntries(durable),
			unreported: reports.unreported(),
		});
	}

	/** By the clock, so that it rises even if this node has lost its memory; by what it knows, when the clock is wrong. */
	function nextSequence(nowMs: number): number {
		lastSequence = Math.max(lastSequence + 1, nowMs);
		return lastSequence;
	}

	function isDirty(projectId: string, survey: SnapshotSurvey): boolean {
		return wishes.has(projectId) || durable.get(projectId)?.changes !== survey.volumes.get(projectId);
	}

	/** @returns null when the volume is not this node's to store, or cannot be looked at; the others' rounds go on. */
	async function takeSnapshot(projectId: string, wished: readonly Wish[]): Promise<Taken | null> {
		const placement = options.placement(projectId);
		const before = durable.get(projectId) ?? null;
		const generation = placement?.generation ?? before?.generation;
		if (generation === undefined || placement?.want === "purged") return null;
		const moment = thisMoment();
		const written = await options.writeDocuments(projectId);
		const wish = wished.find(({ name }) => name !== null) ?? wished[0];
		const sequence = nextSequence(moment.wallMs);
		const name = snapshotName({ generation, sequence });
		await snapshots.take(projectId, name);
		const parent = before && !isFullDue(before.chain) ? before : null;
		return {
			moment,
			written,
			wished,
			pending: {
				name,
				parentName: parent && snapshotName(parent),
				checkpoint: {
					projectId,
					generation,
					sequence,
					parent: parent && { projectId, generation: parent.generation, sequence: parent.sequence },
					kind: wish?.kind ?? "change",
					name: wish?.name ?? null,
					takenAt: new Date(moment.wallMs).toISOString(),
				},
			},
		};
	}

	async function takeAll(projectIds: readonly string[]) {
		const queue = [...projectIds];
		const taken: Taken[] = [];
		const worker = async () => {
			for (let projectId = queue.shift(); projectId; projectId = queue.shift()) {
				// Whoever wishes from now on means what comes after this snapshot.
				const wished = takeWishes(projectId);
				try {
					const one = await takeSnapshot(projectId, wished);
					if (one) taken.push(one);
					else refuse(wished, new Error("the volume is not this node's to store"));
				} catch (error) {
					failed(projectId, wished, error);
				}
			}
		};
		await Promise.all(Array.from({ length: snapshotsAtATime }, worker));
		return taken;
	}

	function failed(projectId: string, wished: readonly Wish[], error: unknown) {
		log.error({ err: error, projectId }, "a checkpoint failed; it is tried again");
		const why = error instanceof ObjectStoreError ? error.message : localProblem(error);
		if (problems.get(projectId) !== why) {
			problems.set(projectId, why);
			options.onDurability(projectId);
		}
		refuse(wished, error);
	}

	function refuse(wished: readonly Wish[], error: unknown) {
		for (const wish of wished) wish.refuse(error);
	}

	function takeWishes(projectId: string): Wish[] {
		const taken = wishes.get(projectId) ?? [];
		wishes.delete(projectId);
		return taken;
	}

	async function makeDurable() {
		const nodeId = options.nodeId();
		if (nodeId === null) return;
		await snapshots.flush();
		const survey = await snapshots.survey();
		const dirty = [...survey.volumes.keys()].filter((projectId) => isDirty(projectId, survey));
		if (dirty.length === 0) return;
		const taken = await takeAll(dirty);
		const counted = await snapshots.survey();
		const useless: SnapshotName[] = [];
		const done: Uploaded[] = [];
		const byPending = new Map(taken.map((one) => [one.pending, one]));
		const wishedWith = (pending: Pending) => byPending.get(pending)?.wished ?? [];
		let storeFailed = false;
		const on = {
			uploaded: (uploads: readonly Uploaded[]) => void done.push(...uploads),
			failed(pendings: readonly Pending[], error: unknown) {
				storeFailed = true;
				for (const pending of pendings) {
					const { projectId } = pending.checkpoint;
					useless.push({ projectId, name: pending.name });
					failed(projectId, wishedWith(pending), error);
				}
			},
		};
		await upload({ store, snapshots, nodeId }, [...byPending.keys()], on, closing.signal);
		for (const { pending, checkpoint } of done) {
			const { projectId } = checkpoint;
			const before = durable.get(projectId);
			if (before) useless.push({ projectId, name: snapshotName(before) });
			const changes = counted.snapshots.get(projectId)?.get(pending.name);
			const taken = byPending.get(pending);
			if (taken?.written) moments.set(projectId, taken.moment);
			durable.set(projectId, {
				generation: checkpoint.generation,
				sequence: checkpoint.sequence,
				upTo: taken?.written ? promisedTime(taken.moment) : (before?.upTo ?? null),
				changes: changes ?? 0,
				chain: extendChain(checkpoint.parent && before ? before.chain : null, checkpoint.bytes),
			});
		}
		reports.add(done.map(({ checkpoint }) => checkpoint));
		// Before the parents go: whoever finds the old state needs them.
		if (done.length > 0) await save();
		for (const { pending, checkpoint } of done) {
			problems.delete(checkpoint.projectId);
			for (const wish of wishedWith(pending)) wish.fulfil(checkpoint);
			options.onDurability(checkpoint.projectId);
		}
		reports.tell();
		await snapshots.remove(useless);
		if (!storeFailed) backoff.reset();
		notBeforeMs = storeFailed ? performance.now() + backoff.nextMs() : 0;
	}

	function round(): Promise<void> {
		waitingRound ??= inTurn(async () => {
			waitingRound = undefined;
			await makeDurable();
		});
		return waitingRound;
	}

	return {
		async recover() {
			const { snapshots: present } = await snapshots.survey();
			const leftovers = [...present].flatMap(([projectId, named]) => {
				const kept = durable.get(projectId);
				return [...named.keys()]
					.filter((name) => !kept || name !== snapshotName(kept))
					.map((name) => ({ projectId, name }));
			});
			await snapshots.remove(leftovers);
			// Without the snapshot there is nothing to tell changes from: a full one follows.
			for (const [projectId, kept] of durable) {
				if (!present.get(projectId)?.has(snapshotName(kept))) durable.delete(projectId);
				// The clock was set back: nothing is known until the next one, which is due.
				else if (kept.upTo !== null && Date.parse(kept.upTo) > Date.now()) {
					durable.set(projectId, { ...kept, upTo: null, changes: neverCounted });
				}
			}
		},

		async round() {
			reports.tell();
			if (performance.now() >= notBeforeMs && !closing.signal.aborted) await round();
		},

		async save(projectId, kind, name) {
			const saved = new Promise<Checkpoint>((fulfil, refuse) => {
				const wish: Wish = { kind, name: name ?? null, fulfil, refuse };
				wishes.set(projectId, [...(wishes.get(projectId) ?? []), wish]);
			});
			saved.catch(() => undefined);
			await round();
			// Nobody could: the volume is not here, or not this node's.
			refuse(takeWishes(projectId), new Error("there is no such volume to store, or the site has not named this node"));
			return saved.catch((cause: unknown) => {
				throw new RepldockError(
					"timed_out",
					"This was not saved: the object store does not take it. Try again later.",
					{
						cause,
					},
				);
			});
		},

		async restore(placement) {
			if (await options.volumes.exists(placement.projectId)) return;
			await inTurn(async () => {
				const { projectId } = placement;
				const kept = await restoreVolume({ store, snapshots, volumes: options.volumes, log }, placement, () =>
					options.manifest({ projectId }),
				);
				durable.set(projectId, kept);
				moments.delete(projectId);
				lastSequence = Math.max(lastSequence, kept.sequence);
				await save();
			});
		},

		durability(projectId) {
			const moment = moments.get(projectId);
			return {
				upTo: moment ? promisedTime(moment) : (durable.get(projectId)?.upTo ?? null),
				problem: problems.get(projectId) ?? null,
			};
		},

		async forget(projectId) {
			await inTurn(async () => {
				await snapshots.removeAll(projectId);
				problems.delete(projectId);
				moments.delete(projectId);
				if (durable.delete(projectId)) await save();
			});
		},

		reports: {
			...reports,
			recorded(ids: readonly CheckpointId[]) {
				const news = reports.recorded(ids);
				if (news)
					void inTurn(save).catch((error: unknown) => log.error({ err: error }, "recorded checkpoints were kept"));
				return news;
			},
		},

		async close() {
			await round().catch((error: unknown) => log.error({ err: error }, "the last checkpoints failed"));
			closing.abort();
			await turn;
		},
	};
}
