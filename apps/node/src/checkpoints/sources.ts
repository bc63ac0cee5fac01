import {
	type Checkpoint,
	type DesiredPlacement,
	isReference,
	type ManifestQuestion,
	RepldockError,
} from "@repldock/protocol";
import { changesOf, type RestoreParts, restoreVolume } from "./restore.ts";
import { heldGeneration, snapshotOf } from "./state.ts";
import type { Durable } from "./state-file.ts";

export interface SourceParts extends RestoreParts {
	/** Writes what people typed into files. @returns false when some of it cannot be. */
	writeDocuments(projectId: string): Promise<boolean>;
	/** What restores a project. @throws RepldockError `node_unreachable` when the site does not answer. */
	manifest(question: ManifestQuestion): Promise<Checkpoint[]>;
	/** Runs work that makes or removes snapshots, when it is its turn. */
	inTurn<T>(work: () => Promise<T>): Promise<T>;
	/** Stores and removes a volume that is not the present one. @throws RepldockError `timed_out` when it cannot be now. */
	leave(projectId: string): Promise<void>;
}

/** Makes volumes of projects that are not new: from this node's own snapshots, their origin's volume, or the store. */
export function createSources(parts: SourceParts) {
	const { snapshots, volumes, state, log } = parts;
	const { durable, reports } = state;

	/** What this node itself made durable of the project. */
	function ownOf(projectId: string): Durable | undefined {
		const kept = durable.get(projectId);
		return kept?.projectId === projectId ? kept : undefined;
	}

	/**
	 * The snapshot that holds what the volume holds. A snapshot of the volume itself would count as a change of it, and have it
	 * stored once more. A round that ends in this moment may remove it.
	 */
	async function unchanged(projectId: string): Promise<string | null> {
		const kept = durable.get(projectId);
		if (!kept?.hasSnapshot) return null;
		await snapshots.flush();
		const { volumes: counts } = await snapshots.survey();
		const { projectId: place, name } = snapshotOf(kept);
		return counts.get(projectId) === kept.changes ? snapshots.path(place, name) : null;
	}

	/** A copy in no time and no space. What people typed in the origin is in it. */
	async function fork({ projectId, limits }: DesiredPlacement, origin: string): Promise<void> {
		const startedAtMs = performance.now();
		await parts.writeDocuments(origin);
		const stored = await unchanged(origin);
		const copy = (from: string) => volumes.createFrom(projectId, from, limits.diskBytes);
		await (stored ? copy(stored).catch(() => copy(volumes.path(origin))) : copy(volumes.path(origin)));
		const base = durable.get(origin);
		// Nothing of it is durable yet, but what it shares with its origin need not be stored again.
		if (base) durable.set(projectId, { ...base, upTo: null, changes: 0 });
		await state.save();
		log.info({ projectId, origin, tookMs: performance.now() - startedAtMs }, "project forked");
	}

	/**
	 * Nobody else writes under the present generation: what this node made durable under it is the latest, whether the site
	 * has recorded it or not.
	 */
	async function chainOf({ projectId, generation }: DesiredPlacement): Promise<Checkpoint[]> {
		const own = ownOf(projectId);
		const tail: Checkpoint[] = [];
		let next: Checkpoint | undefined = own?.generation === generation ? reports.find(own) : undefined;
		while (next) {
			tail.unshift(next);
			next = next.parent ? reports.find(next.parent) : undefined;
		}
		const parent = tail[0]?.parent;
		if (parent === null) return tail;
		const recorded = parent
			? { projectId: parent.projectId, version: { generation: parent.generation, sequence: parent.sequence } }
			: { projectId };
		return [...(await parts.manifest(recorded)), ...tail].filter((checkpoint) => !isReference(checkpoint));
	}

	async function restore(placement: DesiredPlacement): Promise<void> {
		const { projectId, generation, limits } = placement;
		await parts.inTurn(async () => {
			const own = ownOf(projectId);
			if (own?.hasSnapshot && own.generation === generation) {
				const { projectId: place, name } = snapshotOf(own);
				await volumes.createFrom(projectId, snapshots.path(place, name), limits.diskBytes);
				durable.set(projectId, { ...own, changes: await changesOf(snapshots, projectId) });
				log.info({ projectId }, "project restored from its own snapshot");
			} else {
				const chain = await chainOf(placement);
				// Which snapshots are lost, before they are received: whoever finds half of one must not take it for whole.
				await state.save();
				durable.set(projectId, await restoreVolume(parts, placement, chain));
			}
			state.moments.delete(projectId);
			await state.save();
		});
	}

	/**
	 * Whether the volume that is here is what the project is now. One that was held under an older generation is, unless
	 * somebody who held it later has stored something: then what is newer in it was never anybody's to see.
	 */
	async function isPresent({ projectId, generation, stored }: DesiredPlacement): Promise<boolean> {
		const heldAs = heldGeneration(state, projectId) ?? generation;
		if (heldAs >= generation || !stored) return true;
		const present = (await parts.manifest({ projectId })).at(-1);
		return present?.projectId !== projectId || present.generation <= heldAs;
	}

	/** Harmless when the volume is here, and when the project is new. @returns how it was made, if it was. */
	return async function bring(placement: DesiredPlacement): Promise<"restored" | "copied" | null> {
		const { projectId, generation, copyOf, stored } = placement;
		if (await volumes.exists(projectId)) {
			if (await isPresent(placement)) {
				state.held.set(projectId, generation);
				return null;
			}
			log.info({ projectId, generation }, "a volume that is not the present one is in the way");
			await parts.leave(projectId);
		}
		// Kept with what is stored first, or with what it is made from: until then nobody else can have held it.
		state.held.set(projectId, generation);
		// Whatever the site has been told by now: what was durable is never put behind a template.
		if (!ownOf(projectId) && copyOf !== undefined && (await volumes.exists(copyOf))) {
			await fork(placement, copyOf);
			return "copied";
		}
		if (ownOf(projectId) || stored) {
			await restore(placement);
			return "restored";
		}
		if (copyOf === undefined) return null;
		throw new RepldockError(
			"node_unreachable",
			"What this project was forked from is not on this server, and nothing of it was stored. Fork it again.",
		);
	};
}
