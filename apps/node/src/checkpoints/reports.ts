import { setTimeout as wait } from "node:timers/promises";
import type { Checkpoint, CheckpointId } from "@repldock/protocol";

/** Checkpoints that the site has not recorded yet: told when they come, and again until it has. */
export interface Reports {
	unreported(): Checkpoint[];
	/** One of them. */
	find(id: CheckpointId): Checkpoint | undefined;
	/** Tells what is due; harmless when nothing is. */
	tell(): void;
	/** The connection to the site is new: whatever was told may be lost. */
	tellAgain(): void;
	/** @returns once the site has recorded all that it was told, or after the time. */
	told(withinMs: number): Promise<void>;
	/** The site has recorded these, and refused the orphaned ones, since what they build on is gone. */
	recorded(ids: readonly CheckpointId[], orphaned?: readonly CheckpointId[]): void;
}

/**
 * What the site could not be told for so long is told no more, since other nodes take its objects for garbage one day; a full
 * checkpoint takes its place.
 */
export const givenUpAfterMs = 14 * 24 * 60 * 60 * 1000;

const againAfterMs = 10_000;
const mostAtATime = 500;

const textOf = ({ projectId, generation, sequence }: CheckpointId) => `${projectId}.${generation}.${sequence}`;

export function createReports(
	before: readonly Checkpoint[],
	report: (checkpoints: readonly Checkpoint[]) => void,
): Omit<Reports, "recorded"> & {
	add(checkpoints: readonly Checkpoint[]): void;
	/** Those that have waited for too long. */
	overdue(nowMs: number): CheckpointId[];
	/** They need not be told again. @returns whether that is news. */
	forget(ids: readonly CheckpointId[]): boolean;
} {
	const waiting = new Map(before.map((checkpoint) => [textOf(checkpoint), checkpoint]));
	const toldAtMs = new Map<string, number>();
	let noneLeft = Promise.withResolvers<void>();

	return {
		unreported: () => [...waiting.values()],
		find: (id) => waiting.get(textOf(id)),

		overdue: (nowMs) => [...waiting.values()].filter(({ takenAt }) => Date.parse(takenAt) < nowMs - givenUpAfterMs),

		add(checkpoints) {
			for (const checkpoint of checkpoints) waiting.set(textOf(checkpoint), checkpoint);
		},

		tell() {
			const nowMs = performance.now();
			const due = [...waiting].filter(
				([text]) => nowMs - (toldAtMs.get(text) ?? Number.NEGATIVE_INFINITY) > againAfterMs,
			);
			for (let at = 0; at < due.length; at += mostAtATime) {
				const part = due.slice(at, at + mostAtATime);
				for (const [text] of part) toldAtMs.set(text, nowMs);
				report(part.map(([, checkpoint]) => checkpoint));
			}
		},

		tellAgain() {
			toldAtMs.clear();
			this.tell();
		},

		async told(withinMs) {
			if (waiting.size === 0) return;
			noneLeft = Promise.withResolvers();
			await Promise.race([noneLeft.promise, wait(withinMs, undefined, { ref: false })]);
		},

		forget(ids) {
			let news = false;
			for (const id of ids) {
				toldAtMs.delete(textOf(id));
				news = waiting.delete(textOf(id)) || news;
			}
			if (waiting.size === 0) noneLeft.resolve();
			return news;
		},
	};
}
