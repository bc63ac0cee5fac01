import { isNotFound, type ObjectStore, ObjectStoreError } from "@repldock/objects";
import { type Checkpoint, RepldockError } from "@repldock/protocol";
import { CommandError, type Logger } from "@repldock/service";
import { receiveCheckpoint } from "../checkpoints/stream.ts";
import type { VersionPlaces } from "../host.ts";
import { createQueues } from "../placements/queues.ts";
import { type ChainParts, findChain, gone, idOf } from "./chain.ts";
import type { ShelfLimits } from "./limits.ts";

/** A version that is to be fetched, and for whom. */
export interface Wanted {
	projectId: string;
	versionId: string;
	reader: { mayEdit: boolean };
}

export interface FetchParts extends ChainParts {
	store: ObjectStore;
	places: VersionPlaces;
	quota(projectId: string): number;
	limits: ShelfLimits;
	/** Waits for removals of the project's versions that are under way. */
	settled(projectId: string): Promise<void>;
	/** The first of these versions that was fetched and is here, to build on; it stays until it is released. */
	base(projectId: string, versionIds: readonly string[]): { versionId: string; release(): void } | null;
	/** @throws RepldockError when so many bytes more cannot be taken. */
	makeRoom(wanted: Wanted, expectedBytes: number): Promise<void>;
	log: Logger;
}

/** A stream is compressed more than files on the disk are, as a rule by less than this. */
const expectedGrowth = 4;

/** What a disk that is full says through btrfs. */
const noSpace = /No space left|Disk quota exceeded/i;

/** Makes versions from the object store: one of a project at a time, a few of all projects. */
export function createFetching(parts: FetchParts) {
	const { store, places, limits, log } = parts;
	/** Work on one project's versions, in turn. */
	const queues = createQueues();
	const waiting: { forViewer: boolean; begin(): void }[] = [];
	const running = { all: 0, forViewers: 0 };

	function beginNext() {
		const at = waiting.findIndex(
			({ forViewer }) => running.all < limits.fetches && (!forViewer || running.forViewers < limits.viewersFetches),
		);
		waiting.splice(at, at < 0 ? 0 : 1)[0]?.begin();
	}

	async function whenFree<T>(forViewer: boolean, work: () => Promise<T>): Promise<T> {
		await new Promise<void>((resolve) => {
			waiting.push({
				forViewer,
				begin() {
					running.all += 1;
					running.forViewers += Number(forViewer);
					resolve();
				},
			});
			beginNext();
		});
		try {
			return await work();
		} finally {
			running.all -= 1;
			running.forViewers -= Number(forViewer);
			beginNext();
		}
	}

	async function fetchChain(wanted: Wanted): Promise<void> {
		const { projectId, versionId } = wanted;
		const chain = await findChain(parts, projectId, versionId);
		const streamBytes = chain.reduce((sum, { bytes }) => sum + bytes, 0);
		await parts.makeRoom(wanted, Math.min(parts.quota(projectId), streamBytes * expectedGrowth));
		await parts.settled(projectId);
		const base = parts.base(projectId, chain.map(idOf).reverse());
		const missing = chain.slice(chain.findIndex((checkpoint) => idOf(checkpoint) === base?.versionId) + 1);
		try {
			await receiveAll(projectId, missing);
			await places.keepReceived(projectId, versionId);
		} catch (error) {
			await places.removeReceived(projectId, missing.map(idOf));
			throw error;
		} finally {
			base?.release();
		}
	}

	/** Only the last one stays: the others are needed no more once the next is there. */
	async function receiveAll(projectId: string, chain: readonly Checkpoint[]) {
		let before: Checkpoint | undefined;
		for (const checkpoint of chain) {
			await receiveCheckpoint(store, places, projectId, checkpoint);
			if (before) await places.removeReceived(projectId, [idOf(before)]);
			before = checkpoint;
		}
	}

	return {
		/**
		 * @returns how it came: what is the node's own cannot be built on, since it is another subvolume than was sent.
		 * @throws RepldockError `not_found`, `node_unreachable`, `disk_full`, and what `makeRoom` throws.
		 */
		fetch(wanted: Wanted): Promise<"own" | "fetched"> {
			const { projectId, versionId } = wanted;
			return queues.run(projectId, async () => {
				await parts.settled(projectId);
				if (await places.takeLocal(projectId, versionId)) return "own";
				const startedAtMs = performance.now();
				await whenFree(!wanted.reader.mayEdit, () => fetchChain(wanted)).catch((error: unknown) => {
					throw toProblem(error);
				});
				log.info({ projectId, versionId, tookMs: performance.now() - startedAtMs }, "version fetched");
				return "fetched";
			});
		},

		/** Once nothing of the project is being fetched. */
		afterwards: queues.run,
	};
}

function toProblem(error: unknown): unknown {
	if (error instanceof RepldockError) return error;
	if (isNotFound(error)) return gone(error);
	if (error instanceof CommandError && noSpace.test(error.stderr)) {
		return new RepldockError("disk_full", "The server's disk has no room to show this version. Try again later.", {
			cause: error,
		});
	}
	if (error instanceof ObjectStoreError || error instanceof CommandError) {
		return new RepldockError(
			"node_unreachable",
			"The files of this version could not be fetched from the object store. Try again in a minute.",
			{ cause: error },
		);
	}
	return error;
}
