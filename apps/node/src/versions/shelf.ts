import type { ObjectStore } from "@repldock/objects";
import { RepldockError } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { VersionPlaces } from "../host-storage.ts";
import type { ChainParts } from "./chain.ts";
import { createFetching } from "./fetch.ts";
import { type ShelfLimits, usualLimits } from "./limits.ts";

/** Who looks at a version. */
export interface Reader {
	id: string;
	mayEdit: boolean;
}

/** A version whose files are here until it is released. */
export interface HeldVersion {
	/** Host path of its root directory; read-only. */
	path: string;
	/** What it takes of a disk. */
	usedBytes: number;
	/** To be called once everything was read; harmless when repeated. */
	release(): void;
}

export interface ShelfOptions extends ChainParts {
	store: ObjectStore;
	places: VersionPlaces;
	/** A project's quota: no version of it takes more than that. */
	quota(projectId: string): number;
	limits?: Partial<ShelfLimits>;
	log: Logger;
}

/** Versions that are looked at, fetched when somebody asks for them. What nobody reads goes, the longest unused first. */
export interface Shelf {
	/** Removes what an earlier agent had fetched. Call once, first. */
	recover(): Promise<void>;
	/**
	 * Those who ask at once share one fetch.
	 * @throws RepldockError `not_found`, `too_many_requests`, `disk_full`, and `node_unreachable` when site or store cannot
	 *   give it.
	 */
	take(projectId: string, versionId: string, reader: Reader): Promise<HeldVersion>;
	/** Removes all of a project that is gone for good. */
	forget(projectId: string): Promise<void>;
	close(): void;
}

/** A version on the shelf or on its way there. */
interface Item {
	projectId: string;
	versionId: string;
	/** Who asked for it first. */
	reader: Reader;
	readers: number;
	/** 0 until it is here. */
	usedBytes: number;
	usedAtMs: number;
	ready: Promise<void>;
	isHere: boolean;
	mayBeBase: boolean;
	idleTimer?: NodeJS.Timeout;
}

export function createShelf(options: ShelfOptions): Shelf {
	const { places, log } = options;
	const limits = { ...usualLimits, ...options.limits };
	const items = new Map<string, Item>();
	const removals = new Map<string, Promise<void>>();
	const keyOf = (item: Pick<Item, "projectId" | "versionId">) => `${item.projectId}/${item.versionId}`;

	const fetching = createFetching({
		...options,
		limits,
		settled,
		base(projectId, versionIds) {
			const item = versionIds.map((versionId) => items.get(`${projectId}/${versionId}`)).find((one) => one?.mayBeBase);
			if (!item) return null;
			hold(item);
			return { versionId: item.versionId, release: () => letGo(item) };
		},
		makeRoom: (item, expectedBytes) => makeSpace(item, expectedBytes),
	});

	async function settled(projectId: string) {
		const own = [...removals].filter(([key]) => key.startsWith(`${projectId}/`));
		await Promise.all(own.map(([, removal]) => removal));
	}

	function hold(item: Item) {
		item.readers += 1;
		clearTimeout(item.idleTimer);
	}

	function letGo(item: Item) {
		item.readers -= 1;
		item.usedAtMs = performance.now();
		if (item.readers > 0 || items.get(keyOf(item)) !== item) return;
		item.idleTimer = setTimeout(() => evict(item), limits.idleMs);
		item.idleTimer.unref();
	}

	/** From now on nobody gets it any more; who reads in it can go on. */
	function evict(item: Item) {
		const key = keyOf(item);
		clearTimeout(item.idleTimer);
		items.delete(key);
		const removal = places
			.remove(item.projectId, item.versionId)
			.catch((error: unknown) => log.error({ err: error, projectId: item.projectId }, "a version was kept"))
			.then(() => {
				if (removals.get(key) === removal) removals.delete(key);
			});
		removals.set(key, removal);
	}

	/** Evicts what nobody reads until there is less than that. @returns whether there is. */
	function shrink(among: (item: Item) => boolean, isEnough: (left: readonly Item[]) => boolean): boolean {
		for (;;) {
			const left = [...items.values()].filter(among);
			if (isEnough(left)) return true;
			const idle = left.filter(({ isHere, readers }) => isHere && readers === 0);
			const [oldest] = idle.toSorted((one, other) => one.usedAtMs - other.usedAtMs);
			if (!oldest) return false;
			evict(oldest);
		}
	}

	/** @throws RepldockError `too_many_requests` when there is no place for one more. */
	function requirePlace(projectId: string, reader: Reader) {
		const fewer = (most: number, among: (item: Item) => boolean) => shrink(among, (left) => left.length < most);
		const ofProject = (item: Item) => item.projectId === projectId;
		const ofViewer = (item: Item) => !item.reader.mayEdit;
		const own = fewer(limits.perPerson, (item) => item.reader.id === reader.id);
		if (!own) throw tooMany("You look at many versions at once. Close some of them and try again.");
		const ofStrangers =
			reader.mayEdit ||
			(fewer(limits.viewersPerProject, (item) => ofProject(item) && ofViewer(item)) &&
				fewer(limits.viewersPerNode, ofViewer));
		if (!ofStrangers || !fewer(limits.perProject, ofProject) || !fewer(limits.perNode, () => true)) {
			throw tooMany("Many versions are being looked at. Try again in a minute.");
		}
	}

	const bytesOf = (left: readonly Item[]) => left.reduce((sum, { usedBytes }) => sum + usedBytes, 0);

	/** @throws RepldockError `too_many_requests`, `disk_full` when so many bytes more cannot be taken. */
	async function makeSpace(item: Pick<Item, "projectId">, expectedBytes: number) {
		const { projectId } = item;
		const quota = options.quota(projectId);
		const { totalBytes } = await places.disk();
		// A single one may always be looked at, however small the disk.
		const fits = (most: number) => (left: readonly Item[]) =>
			bytesOf(left) === 0 || bytesOf(left) + expectedBytes <= most;
		const inProject = shrink((one) => one.projectId === projectId, fits(quota * limits.quotasPerProject));
		if (!inProject || !shrink(() => true, fits(totalBytes * limits.shareOfDisk))) {
			throw tooMany("Many versions are being looked at. Try again in a minute.");
		}
		const leastFreeBytes = quota + totalBytes * limits.shareLeftFree;
		const isRoomy = async () => (await places.disk()).freeBytes >= leastFreeBytes;
		if (await isRoomy()) return;
		shrink(
			() => true,
			() => false,
		);
		await Promise.all(removals.values());
		if (await isRoomy()) return;
		throw new RepldockError(
			"disk_full",
			"The server's disk has no room to show old versions now. They are kept; try again later, or tell your operator.",
		);
	}

	/** It may be larger than expected. */
	function trim(totalBytes: number, quota: number, item: Item) {
		const others = (one: Item) => one !== item;
		const most = totalBytes * limits.shareOfDisk - item.usedBytes;
		const mostOfProject = quota * limits.quotasPerProject - item.usedBytes;
		shrink(others, (left) => bytesOf(left) <= most);
		shrink(
			(one) => others(one) && one.projectId === item.projectId,
			(left) => bytesOf(left) <= mostOfProject,
		);
	}

	async function bring(item: Item) {
		const { projectId, versionId } = item;
		try {
			const came = await fetching.fetch(item);
			item.usedBytes = await places.usedBytes(projectId, versionId);
			item.isHere = true;
			item.mayBeBase = came === "fetched";
			trim((await places.disk()).totalBytes, options.quota(projectId), item);
		} catch (error) {
			if (items.get(keyOf(item)) === item) items.delete(keyOf(item));
			throw error;
		}
	}

	function add(projectId: string, versionId: string, reader: Reader): Item {
		requirePlace(projectId, reader);
		const item: Item = {
			projectId,
			versionId,
			reader,
			readers: 0,
			usedBytes: 0,
			usedAtMs: performance.now(),
			ready: Promise.resolve(),
			isHere: false,
			mayBeBase: false,
		};
		items.set(keyOf(item), item);
		item.ready = bring(item);
		item.ready.catch(() => undefined);
		return item;
	}

	return {
		recover: () => places.removeAll(),

		async take(projectId, versionId, reader) {
			const item = items.get(keyOf({ projectId, versionId })) ?? add(projectId, versionId, reader);
			hold(item);
			let held = true;
			const release = () => {
				if (held) letGo(item);
				held = false;
			};
			try {
				await item.ready;
			} catch (error) {
				release();
				throw error;
			}
			return { path: places.path(projectId, versionId), usedBytes: item.usedBytes, release };
		},

		async forget(projectId) {
			for (const [key, item] of items) {
				if (item.projectId !== projectId) continue;
				clearTimeout(item.idleTimer);
				items.delete(key);
			}
			await fetching.afterwards(projectId, async () => {
				await settled(projectId);
				await places.removeAll(projectId);
			});
		},

		close() {
			for (const { idleTimer } of items.values()) clearTimeout(idleTimer);
			items.clear();
		},
	};
}

function tooMany(sentence: string): RepldockError {
	return new RepldockError("too_many_requests", sentence);
}
