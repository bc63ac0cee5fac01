import type { CheckpointId, DesiredPlacement } from "@repldock/protocol";
import type { Snapshots } from "../host-storage.ts";
import { type Chain, isCompactionDue, isFullDue } from "./chain.ts";
import { type Moment, thisMoment } from "./moment.ts";
import { factsOf } from "./project-facts.ts";
import { type CheckpointState, heldGeneration, snapshotOf } from "./state.ts";
import type { Durable } from "./state-file.ts";
import type { Pending } from "./upload.ts";
import { foremost, type Wish, type Wishes } from "./wishes.ts";

/** A checkpoint to build on, with the chain that leads to it. */
export interface Base {
	id: CheckpointId;
	chain: Chain;
}

/** A snapshot that was taken to be made durable. */
export interface Taken {
	pending: Pending;
	moment: Moment;
	/** What it builds on; null when it is full. */
	base: Base | null;
	/** Whether it takes the place of many increments. */
	compacts: boolean;
	/** Whether all that people typed is in it. */
	written: boolean;
	wished: readonly Wish[];
}

export interface TakeParts {
	snapshots: Snapshots;
	state: CheckpointState;
	wishes: Wishes;
	/** Projects that have come to rest. */
	resting: ReadonlySet<string>;
	placement(projectId: string): DesiredPlacement | undefined;
	/** Writes what people typed into files. @returns false when some of it cannot be. */
	writeDocuments(projectId: string): Promise<boolean>;
	/** Told of one that could not be taken. */
	failed(projectId: string, wished: readonly Wish[], error: unknown): void;
	/** The volume is not this node's to store. */
	foreign(projectId: string, wished: readonly Wish[]): void;
}

/**
 * Snapshots taken side by side share a commit of the file system. Each holds one of the agent's 16 threads for calls of the
 * kernel until then (`agentVariables` in apps/cli/src/supervisor/instance.ts); the rest is for everybody else's files.
 */
const atATime = 12;

export function createTaker(parts: TakeParts) {
	const { snapshots, state, wishes, resting } = parts;
	let lastSequence = 0;

	/**
	 * By the clock, so that it rises even if this node has lost its memory; after the project's last one, or its origin's, also
	 * when the clock was put back.
	 */
	function nextSequence(nowMs: number, before: number): number {
		lastSequence = Math.max(lastSequence + 1, nowMs, before + 1);
		return lastSequence;
	}

	async function takeOne(projectId: string, wished: readonly Wish[]): Promise<Taken | null> {
		const placement = parts.placement(projectId);
		const before = state.durable.get(projectId) ?? null;
		const own = before?.projectId === projectId ? before : null;
		const generation = heldGeneration(state, projectId) ?? placement?.generation;
		if (generation === undefined || placement?.want === "purged") return null;
		const moment = thisMoment();
		const written = await parts.writeDocuments(projectId);
		const wish = foremost(wished);
		const id = { projectId, generation, sequence: nextSequence(moment.wallMs, before?.sequence ?? 0) };
		const snapshot = snapshotOf(id);
		await snapshots.take(projectId, snapshot.name);
		const compacts = resting.has(projectId) && canCompact(before);
		const base = compacts ? before.base : baseOf(before, own === null);
		return {
			moment,
			written,
			wished,
			base,
			compacts,
			pending: {
				snapshot,
				parent: base && snapshotOf(base.id),
				facts: placement && factsOf(placement),
				checkpoint: {
					...id,
					parent: base?.id ?? null,
					kind: wish?.kind ?? "change",
					name: wish?.name ?? null,
					takenAt: new Date(moment.wallMs).toISOString(),
				},
			},
		};
	}

	/** Takes a snapshot of each of these volumes; one that fails does not keep the others back. */
	return async function takeAll(projectIds: readonly string[]): Promise<Taken[]> {
		const queue = [...projectIds];
		const taken: Taken[] = [];
		const worker = async () => {
			for (let projectId = queue.shift(); projectId; projectId = queue.shift()) {
				const wished = wishes.take(projectId);
				try {
					const one = await takeOne(projectId, wished);
					if (one) taken.push(one);
					else parts.foreign(projectId, wished);
				} catch (error) {
					parts.failed(projectId, wished, error);
				}
			}
		};
		await Promise.all(Array.from({ length: atATime }, worker));
		return taken;
	};
}

/** @param isFork it is the fork's first, which builds on its origin's whatever the chain: all that they share is stored. */
function baseOf(before: Durable | null, isFork: boolean): Base | null {
	if (!before?.hasSnapshot || (isFullDue(before.chain) && !isFork)) return null;
	const { projectId, generation, sequence, chain } = before;
	return { id: { projectId, generation, sequence }, chain };
}

/** Whether one increment can take the place of several. */
export function canCompact(durable: Durable | null | undefined): durable is Durable & { base: Base } {
	if (!durable?.base || isFullDue(durable.chain)) return false;
	return isCompactionDue(durable.chain, durable.base.chain);
}
