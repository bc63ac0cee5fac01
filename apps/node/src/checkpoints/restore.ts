import type { ObjectStore } from "@repldock/objects";
import { type Checkpoint, type DesiredPlacement, RepldockError } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { Snapshots, Volumes } from "../host-storage.ts";
import { type Chain, extendChain } from "./chain.ts";
import { type CheckpointState, snapshotOf } from "./state.ts";
import type { Durable } from "./state-file.ts";
import { receiveCheckpoint } from "./stream.ts";

export interface RestoreParts {
	store: ObjectStore;
	snapshots: Snapshots;
	volumes: Volumes;
	state: CheckpointState;
	log: Logger;
}

/**
 * Makes a project's volume from the object store: each checkpoint of the chain is received in its hidden place and
 * verified, the last one becomes the volume. What is here already, for this project's or a fork's sake, is not fetched. A
 * failure, or a crash, leaves nothing that looks like a volume.
 * @returns what is durable of the new volume.
 * @throws RepldockError `node_unreachable` when the object store cannot give what the manifest names.
 */
export async function restoreVolume(
	parts: RestoreParts,
	{ projectId, limits }: DesiredPlacement,
	chain: readonly Checkpoint[],
): Promise<Durable> {
	const { snapshots, volumes, state, log } = parts;
	const last = chain.at(-1);
	const full = chain[0];
	if (!last || !full) throw lost(new Error("the manifest names no checkpoint"));
	const startedAtMs = performance.now();
	const missing = chain.slice(chain.findLastIndex((checkpoint) => state.isKept(checkpoint)) + 1);
	try {
		await receiveChain(parts, missing, full);
		const { projectId: place, name } = snapshotOf(last);
		await volumes.createFrom(projectId, snapshots.path(place, name), limits.diskBytes);
	} catch (error) {
		await state.removeUnkept(missing.map(snapshotOf));
		throw lost(error);
	}
	// A fork gets a checkpoint of its own soon: the objects alone then tell that it is there.
	const changes = last.projectId === projectId ? await changesOf(snapshots, projectId) : 0;
	log.info({ projectId, checkpoints: missing.length, tookMs: performance.now() - startedAtMs }, "project restored");
	return {
		projectId: last.projectId,
		generation: last.generation,
		sequence: last.sequence,
		upTo: last.takenAt,
		changes,
		chain: chain.reduce<Chain | null>((sum, { bytes }) => extendChain(sum, bytes), null) as Chain,
		base:
			missing.includes(full) || state.isKept(full) ? { id: idOf(full), chain: extendChain(null, full.bytes) } : null,
		hasSnapshot: true,
	};
}

/** The count of a volume that was made just now, before any program changed it. */
export async function changesOf(snapshots: Snapshots, projectId: string): Promise<number> {
	await snapshots.flush();
	return (await snapshots.survey()).volumes.get(projectId) ?? 0;
}

/** Only the full one and the last one are kept: those between are needed no more once the next is there. */
async function receiveChain(
	{ store, snapshots, state }: RestoreParts,
	missing: readonly Checkpoint[],
	full: Checkpoint,
) {
	// What an agent that died has received is in the way, and may not be whole.
	await state.removeUnkept(missing.map(snapshotOf));
	let before: Checkpoint | undefined;
	for (const checkpoint of missing) {
		await receiveCheckpoint(store, snapshots, checkpoint.projectId, checkpoint);
		if (before && before !== full) await state.removeUnkept([snapshotOf(before)]);
		before = checkpoint;
	}
}

function idOf({ projectId, generation, sequence }: Checkpoint) {
	return { projectId, generation, sequence };
}

function lost(cause: unknown): RepldockError {
	return new RepldockError(
		"node_unreachable",
		"The files of this project could not be fetched from the object store. They are kept; try again in a minute.",
		{ cause },
	);
}
