import type { Checkpoint, CheckpointId } from "@repldock/protocol";
import type { SnapshotName, Snapshots } from "../host-storage.ts";
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
	reports: ReturnType<typeof createReports>;
	/** When it returns, the state survives a loss of power. */
	save(): Promise<void>;
	/**
	 * Builds on none of these any more: a full one follows where the latest is among them.
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
	let saving: Promise<void> = Promise.resolve();

	function keptTexts(): Set<string> {
		const texts = new Set<string>();
		for (const kept of durable.values()) for (const snapshot of snapshotsOf(kept)) texts.add(textOf(snapshot));
		return texts;
	}

	return {
		durable,
		held,
		moments: new Map(),
		problems: new Map(),
		reports,

		save() {
			saving = saving
				.catch(() => undefined)
				.then(() =>
					writeCheckpoints(options.stateFile, {
						durable: Object.fromEntries(durable),
						held: Object.fromEntries(held),
						unreported: reports.unreported(),
					}),
				);
			return saving;
		},

		giveUp(ids) {
			const lost = new Set(ids.map((id) => textOf(snapshotOf(id))));
			return [...durable].flatMap(([projectId, kept]) => {
				if (!lost.has(textOf(snapshotOf(kept)))) return [];
				durable.set(projectId, { ...kept, hasSnapshot: false, base: null, changes: 0 });
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
