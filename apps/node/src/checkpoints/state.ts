import type { Checkpoint, CheckpointId } from "@repldock/protocol";
import type { SnapshotName, Snapshots } from "../host-storage.ts";
import type { Behind, StoreFailure } from "./lag.ts";
import type { Moment } from "./moment.ts";
import { createReports } from "./reports.ts";
import { type Durable, readCheckpoints, writeCheckpoints } from "./state-file.ts";

/** What this node knows of its checkpoints, in memory and on disk. */
export interface CheckpointState {
	/** The latest durable checkpoint by project. */
	durable: Map<string, Durable>;
	/** The generations of the volumes here; of one from before they were kept it is what is durable of it that tells. */
	held: Map<string, number>;
	/** When these were taken; those of an earlier agent are known by the clock's time alone. */
	moments: Map<string, Moment>;
	/** Why a project's latest work is not durable, in a sentence. */
	problems: Map<string, string>;
	behind: Behind;
	/** Why the store did not take what it was given last; null when it took it. */
	storeFailure: StoreFailure | null;
	reports: ReturnType<typeof createReports>;
	/** When it returns, the state survives a loss of power. */
	save(): Promise<void>;
	/** Saves it when `behind` or `storeFailure` is not what the file says: others read them there. */
	saveLag(): Promise<void>;
	/**
	 * Builds on none of these any more: where the latest is among them nothing is durable until a full one is.
	 * @returns snapshots that may be of no use now.
	 */
	giveUp(ids: readonly CheckpointId[]): SnapshotName[];
	/** Whether the snapshot of a checkpoint is here and stays here for some project's sake. */
	isKept(id: CheckpointId): boolean;
	/** Removes those of these snapshots that no project's durable state stands on; a fork stands on its origin's. */
	removeUnkept(candidates: readonly SnapshotName[]): Promise<void>;
}

export async function openState(options: {
	stateFile: string;
	snapshots: Snapshots;
	report(checkpoints: readonly Checkpoint[]): void;
}): Promise<CheckpointState> {
	const stored = await readCheckpoints(options.stateFile);
	const durable = new Map<string, Durable>(Object.entries(stored.durable));
	const held = new Map<string, number>(Object.entries(stored.held));
	const reports = createReports(stored.unreported, options.report);
	const behind: Behind = new Map(Object.entries(stored.behind).map(([projectId, at]) => [projectId, Date.parse(at)]));
	let saving: Promise<void> = Promise.resolve();
	let savedLag: string;

	function keptTexts(): Set<string> {
		const texts = new Set<string>();
		for (const kept of durable.values()) for (const snapshot of snapshotsOf(kept)) texts.add(textOf(snapshot));
		return texts;
	}

	const lag = () => ({
		behind: Object.fromEntries([...behind].map(([projectId, sinceMs]) => [projectId, new Date(sinceMs).toISOString()])),
		storeFailure: state.storeFailure,
	});

	async function write() {
		const told = lag();
		await writeCheckpoints(options.stateFile, {
			durable: Object.fromEntries(durable),
			held: Object.fromEntries(held),
			unreported: reports.unreported(),
			...told,
		});
		savedLag = JSON.stringify(told);
	}

	const state: CheckpointState = {
		durable,
		held,
		moments: new Map(),
		problems: new Map(),
		behind,
		storeFailure: stored.storeFailure,
		reports,

		save() {
			saving = saving.catch(() => undefined).then(write);
			return saving;
		},

		async saveLag() {
			await saving.catch(() => undefined);
			if (JSON.stringify(lag()) !== savedLag) await state.save();
		},

		giveUp(ids) {
			const lost = new Set(ids.map((id) => textOf(snapshotOf(id))));
			return [...durable].flatMap(([projectId, kept]) => {
				if (!lost.has(textOf(snapshotOf(kept)))) return [];
				durable.set(projectId, { ...kept, hasSnapshot: false, base: null, changes: 0, upTo: null });
				state.moments.delete(projectId);
				return snapshotsOf(kept);
			});
		},

		isKept: (id) => keptTexts().has(textOf(snapshotOf(id))),

		async removeUnkept(candidates) {
			const kept = keptTexts();
			const useless = new Map(candidates.map((snapshot) => [textOf(snapshot), snapshot]));
			for (const text of kept) useless.delete(text);
			await options.snapshots.remove([...useless.values()]);
		},
	};
	savedLag = JSON.stringify(lag());
	return state;
}

/** The generation of a project's volume here; undefined when nothing is known of it. */
export function heldGeneration({ held, durable }: CheckpointState, projectId: string): number | undefined {
	const kept = durable.get(projectId);
	return held.get(projectId) ?? (kept?.projectId === projectId ? kept.generation : undefined);
}

/** A checkpoint's snapshot has the same name wherever it is. */
export function snapshotOf({ projectId, generation, sequence }: CheckpointId): SnapshotName {
	return { projectId, name: `${generation}.${sequence}` };
}

/** What a durable state stands on. */
export function snapshotsOf(durable: Durable | undefined): SnapshotName[] {
	if (!durable) return [];
	const ids = [...(durable.hasSnapshot ? [durable] : []), ...(durable.base ? [durable.base.id] : [])];
	return ids.map(snapshotOf);
}

const textOf = ({ projectId, name }: SnapshotName) => `${projectId}/${name}`;
