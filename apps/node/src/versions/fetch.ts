import { isNotFound, type ObjectStore, ObjectStoreError } from "@repldock/objects";
import { type Checkpoint, RepldockError } from "@repldock/protocol";
import { CommandError, type Logger } from "@repldock/service";
import { receiveCheckpoint } from "../checkpoints/stream.ts";
import type { VersionPlaces } from "../host-storage.ts";
import { createQueues } from "../placements/queues.ts";
import { type ChainParts, findChain, gone, idOf, placeOf } from "./chain.ts";
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
		const own = chain.map((checkpoint) => (checkpoint.projectId === projectId ? idOf(checkpoint) : ""));
		const base = parts.base(projectId, own.toReversed());
		try {
			await receiveAfter(projectId, chain, base ? own.indexOf(base.versionId) : -1);
			// Of a reference it is what that stands for.
			const last = chain.at(-1);
			await places.keepReceived(projectId, last ? idOf(last) : versionId, versionId);
		} finally {
			base?.release();
		}
	}

	/** @param at of the checkpoint that is on the shelf and stays there; -1 when there is none. */
	async function receiveAfter(projectId: string, chain: readonly Checkpoint[], at: number): Promise<void> {
		// The last part before the version itself that the node has for its own work, for this project's or another's sake.
		const local = chain.slice(0, -1).findLastIndex(parts.isKept);
		try {
			await receiveAll(projectId, chain.slice(Math.max(at, local) + 1));
		} catch (error) {
			await places.removeReceived(projectId, chain.map(idOf));
			// The node's own snapshot may have gone meanwhile, since a later one is durable.
			if (local <= at || !(error instanceof CommandError)) throw error;
			await receiveAll(projectId, chain.slice(at + 1)).catch(async (again: unknown) => {
				await places.removeReceived(projectId, chain.map(idOf));
				throw again;
			});
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
				const isKept = parts.isKept({ projectId, ...placeOf(versionId) });
				if (isKept && (await places.takeLocal(projectId, versionId))) return "own";
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
