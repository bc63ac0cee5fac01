import { setTimeout as wait } from "node:timers/promises";
import { type ObjectConfig, type ObjectStore, objectLocation, openObjectStore, readStoreId } from "@repldock/objects";
import type { CleanupStack, Logger, Metric } from "@repldock/service";
import { type Checkpoints, type CheckpointsOptions, createCheckpoints } from "./checkpoints/checkpoints.ts";
import { collectGarbage } from "./checkpoints/garbage.ts";
import { createGarbageSchedule } from "./checkpoints/garbage-schedule.ts";
import { scrubOnSchedule } from "./checkpoints/scrub.ts";
import type { NodeConfig, NodePaths } from "./config.ts";
import type { SiteAddress } from "./control/ask-site.ts";
import { createManifestQuestions, type ManifestQuestions } from "./control/manifests.ts";
import { createSnapshots } from "./host/snapshots.ts";
import { createVolumeGrowth } from "./host/volume-growth.ts";
import { volumeStore } from "./machine.ts";
import { reportTo } from "./report-to.ts";
import { storageMetrics } from "./storage-metrics.ts";

/** How often objects that nothing needs are looked for, and how old they are before they go. */
const garbageEveryMs = 6 * 60 * 60 * 1000;
const garbageAgeMs = 24 * 60 * 60 * 1000;

/** How long the start waits for a store to tell its name, and how often one that did not is asked again. */
const storeNamePatienceMs = 2_000;
const storeNameEveryMs = 60_000;
/** How often it is looked whether that is due, be it after a failure or by an agent that runs for minutes only. */
export const garbageLookEveryMs = 5 * 60 * 1000;

/** Programs fill a disk in seconds. */
const roomEveryMs = 1_000;

/** The object store with what this node keeps there. */
export interface NodeStorage {
	store: ObjectStore;
	checkpoints: Checkpoints;
	manifests: ManifestQuestions;
	/** Names the store, for all who share it; null while it does not answer. */
	storeId(): string | null;
	metrics(): Promise<Metric[]>;
	/** These projects have come to rest: what is new in them becomes durable at once, in a short chain. */
	settle(projectIds: readonly string[]): void;
	/** Ticks, garbage, reading back and room for the volumes, until the agent ends. */
	begin(cleanup: CleanupStack, signal: AbortSignal): void;
}

/** Opens the store and brings what an agent that died had begun to an end. */
export async function openStorage(
	options: Pick<
		CheckpointsOptions,
		"volumes" | "nodeId" | "placement" | "writeDocuments" | "report" | "onDurability" | "log"
	> & {
		config: NodeConfig;
		paths: NodePaths;
		objects: ObjectConfig;
		site: SiteAddress;
		/** The store's name is known now. */
		onStoreId(): void;
		log: Logger;
	},
): Promise<NodeStorage> {
	const { config, paths, objects, log, nodeId } = options;
	const { mountPoint } = volumeStore(config, paths);
	const store = await openObjectStore(objectLocation(objects, paths.data), objects);
	const manifests = createManifestQuestions(options.site);
	const checkpoints = await createCheckpoints({
		...options,
		store,
		snapshots: createSnapshots(mountPoint),
		stateFile: paths.checkpoints,
		manifest: manifests.manifest,
	});
	await checkpoints.recover();
	let storeId: string | null = null;
	await Promise.race([nameStore(), wait(storeNamePatienceMs, undefined, { ref: false })]);

	/** A site that is not told moves no project from here or to here. */
	async function nameStore() {
		if (storeId !== null) return;
		try {
			storeId = await readStoreId(store);
			options.onStoreId();
		} catch (error) {
			log.warn({ err: error }, "the object store has not told its name; it is asked again");
		}
	}

	function makeDurable() {
		void checkpoints.round().catch(reportTo(log, "volumes were not made durable"));
	}

	const garbage = createGarbageSchedule({
		file: paths.garbage,
		everyMs: garbageEveryMs,
		async collect() {
			const own = nodeId();
			if (own === null) return null;
			return collectGarbage({
				store,
				nodeId: own,
				olderThanMs: garbageAgeMs,
				unnamed: manifests.unnamed,
				unreported: () => new Set(checkpoints.reports.unreported().map(({ key }) => key)),
				log,
			});
		},
	});

	const tidyStore = () => void garbage.look().catch(reportTo(log, "the object store was not tidied"));

	/** @returns when it has ended. */
	async function readBack(periodMs: number, signal: AbortSignal): Promise<void> {
		await scrubOnSchedule(
			{
				store,
				periodMs,
				nodeId,
				next: manifests.scrub,
				storeAnew: (projectIds) =>
					void checkpoints.storeAnew(projectIds).catch(reportTo(log, "damaged checkpoints were not made anew")),
				wait: (ms, until) => wait(ms, undefined, { signal: until, ref: false }),
				log,
			},
			signal,
		);
	}

	return {
		store,
		checkpoints,
		manifests,
		storeId: () => storeId,

		metrics: () => storageMetrics(checkpoints.lag(), mountPoint),

		settle(projectIds) {
			void checkpoints.settle(projectIds).catch(reportTo(log, "volumes were not made durable"));
		},

		begin(cleanup, signal) {
			const growth = createVolumeGrowth({ ...volumeStore(config, paths), log });
			const every = (name: string, ms: number, work: () => void) => {
				const timer = setInterval(work, ms);
				cleanup.push(name, () => clearInterval(timer));
			};
			every(
				"room for volumes",
				roomEveryMs,
				() => void growth.look().catch(reportTo(log, "the file of the volumes did not grow")),
			);
			every("the store's name", storeNameEveryMs, () => void nameStore());
			every("checkpoint timer", config.checkpointEveryMs, makeDurable);
			every("garbage", garbageLookEveryMs, tidyStore);
			tidyStore();
			if (config.scrubEveryMs === undefined) return;
			const scrubbed = readBack(config.scrubEveryMs, signal);
			cleanup.push("scrub", () => scrubbed);
		},
	};
}
