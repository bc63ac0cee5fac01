import type { ObjectStore } from "@repldock/objects";
import { type Checkpoint, type DesiredPlacement, RepldockError } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { Snapshots, Volumes } from "../host.ts";
import { type Chain, extendChain } from "./chain.ts";
import type { Durable } from "./state-file.ts";
import { receiveCheckpoint } from "./stream.ts";

export interface RestoreParts {
	store: ObjectStore;
	snapshots: Snapshots;
	volumes: Volumes;
	log: Logger;
}

const nameOf = ({ generation, sequence }: { generation: number; sequence: number }) => `${generation}.${sequence}`;

/**
 * Makes a project's volume from the object store: each checkpoint of the chain is received in its hidden place and
 * verified, the last one becomes the volume. A failure, or a crash, leaves nothing that looks like one.
 * @returns what is durable of the new volume.
 * @throws RepldockError `node_unreachable` when the object store cannot give what the manifest names.
 */
export async function restoreVolume(
	parts: RestoreParts,
	{ projectId, limits }: DesiredPlacement,
	manifest: () => Promise<Checkpoint[]>,
): Promise<Durable> {
	const { snapshots, volumes, log } = parts;
	const chain = await manifest();
	const last = chain.at(-1);
	if (!last) throw lost(new Error("the manifest names no checkpoint"));
	const startedAtMs = performance.now();
	await snapshots.removeAll(projectId);
	try {
		await receiveChain(parts, projectId, chain);
		await volumes.createFrom(projectId, snapshots.path(projectId, nameOf(last)), limits.diskBytes);
	} catch (error) {
		await snapshots.removeAll(projectId);
		throw lost(error);
	}
	await snapshots.flush();
	const { volumes: counted } = await snapshots.survey();
	log.info({ projectId, checkpoints: chain.length, tookMs: performance.now() - startedAtMs }, "project restored");
	return {
		generation: last.generation,
		sequence: last.sequence,
		upTo: last.takenAt,
		changes: counted.get(projectId) ?? 0,
		chain: chain.reduce<Chain | null>((sum, { bytes }) => extendChain(sum, bytes), null) as Chain,
	};
}

/** Only the last one is kept: the others are needed no more once the next is there. */
async function receiveChain({ store, snapshots }: RestoreParts, projectId: string, chain: readonly Checkpoint[]) {
	let before: Checkpoint | undefined;
	for (const checkpoint of chain) {
		await receiveCheckpoint(store, snapshots, projectId, checkpoint);
		if (before) await snapshots.remove([{ projectId, name: nameOf(before) }]);
		before = checkpoint;
	}
}

function lost(cause: unknown): RepldockError {
	return new RepldockError(
		"node_unreachable",
		"The files of this project could not be fetched from the object store. They are kept; try again in a minute.",
		{ cause },
	);
}
