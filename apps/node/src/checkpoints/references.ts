import { createHash } from "node:crypto";
import type { ObjectStore } from "@repldock/objects";
import { type Checkpoint, type DesiredPlacement, isDeparting } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { Volumes } from "../host-storage.ts";
import { packKey, sealPack } from "./pack.ts";
import { factsOf } from "./project-facts.ts";
import type { CheckpointState } from "./state.ts";

export interface ReferenceParts {
	store: ObjectStore;
	state: CheckpointState;
	volumes: Pick<Volumes, "exists">;
	/** Names this node's objects; null until the site has named the node. */
	nodeId(): string | null;
	placement(projectId: string): DesiredPlacement | undefined;
	log: Logger;
}

const sumOfNothing = createHash("sha256").digest("hex");

/**
 * A fork that nobody has opened has nothing of its own to store, and a lost database would take it along. So its node
 * stores a checkpoint of no bytes that builds on what the fork begins as: the objects tell of it, the site records it as
 * any other, and what it builds on stays for its sake.
 */
export function createReferences({ store, state, volumes, nodeId, placement, log }: ReferenceParts) {
	/** Projects that may need one. */
	const waiting = new Set<string>();
	/** The site's word may be older than what it has recorded since. */
	const stored = new Set<string>();
	let number = 0;

	/** @returns null when there is something of its own, or will be. */
	async function referenceOf(projectId: string): Promise<Omit<Checkpoint, "key"> | null> {
		const placed = placement(projectId);
		if (!placed?.beginsAs || isDeparting(placed)) return null;
		if (state.durable.has(projectId) || (await volumes.exists(projectId))) return null;
		// It becomes a copy, which is more than what is stored of its origin.
		if (placed.copyOf !== undefined && (await volumes.exists(placed.copyOf))) return null;
		if (state.reports.unreported().some((one) => one.projectId === projectId)) return null;
		const { generation, beginsAs } = placed;
		return {
			projectId,
			generation,
			// That of what it stands for: whatever clocks say, what the fork itself stores is later.
			sequence: beginsAs.sequence,
			parent: beginsAs,
			kind: "change",
			name: null,
			takenAt: new Date().toISOString(),
			start: 0,
			bytes: 0,
			sha256: sumOfNothing,
		};
	}

	return {
		/** Takes down which forks may need one; harmless for all others. */
		look(placements: readonly DesiredPlacement[]): boolean {
			for (const { projectId, beginsAs } of placements) {
				if (beginsAs && !stored.has(projectId)) waiting.add(projectId);
			}
			return waiting.size > 0;
		},

		/** Stores those that are missing, in one object. @throws what the store throws; the next call tries again. */
		async store(): Promise<void> {
			const own = nodeId();
			if (own === null || waiting.size === 0) return;
			const found: Omit<Checkpoint, "key">[] = [];
			for (const projectId of [...waiting]) {
				const reference = await referenceOf(projectId);
				if (reference) found.push(reference);
				else waiting.delete(projectId);
			}
			if (found.length === 0) return;
			// Beside the packs of rounds, whose numbers begin at 0 and are few.
			number += 1;
			const key = packKey(own, Date.now(), firstNumber + number);
			const index = found.map((one) => {
				const placed = placement(one.projectId);
				return { ...one, project: placed && factsOf(placed) };
			});
			await store.put(key, sealPack(index));
			state.storeFailure = null;
			state.reports.add(found.map((one) => ({ ...one, key })));
			await state.save();
			for (const { projectId } of found) {
				waiting.delete(projectId);
				stored.add(projectId);
			}
			log.info({ forks: found.length }, "forks that nobody has opened were stored");
			state.reports.tell();
		},
	};
}

const firstNumber = 1_000_000;
