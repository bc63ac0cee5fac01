import { readdir, readFile, stat, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Logger } from "@repldock/service";
import { devicesOf, growImage, mostBytes, type VolumeStore } from "./volume-mount.ts";

const gigabyte = 1024 * 1024 * 1024;

/** As much is kept free in the file as a program might write between two looks. */
const headroomBytes = 2 * gigabyte;
const leastStepBytes = 2 * gigabyte;
const stepShare = 0.25;

/** Growing by less than this is not worth it, unless it is the last time. */
const worthBytes = 64 * 1024 * 1024;

/** With less than this in the file programs are about to be told that there is no room. */
const scarceBytes = 64 * 1024 * 1024;

/** What the rest of the machine must have left: databases and logs are on the same disk. */
const reserveBytes = gigabyte;

export interface VolumeGrowth {
	/** Grows the file if it is about to be full. @returns whether there is room enough, at least after that. */
	look(): Promise<boolean>;
}

/** @param sizes for tests, in bytes. */
export function createVolumeGrowth(options: {
	store: VolumeStore;
	mountPoint: string;
	log: Logger;
	sizes?: { headroom: number; step: number; reserve: number };
}): VolumeGrowth {
	const { store, mountPoint, log } = options;
	const { headroom, step, reserve } = options.sizes ?? {
		headroom: headroomBytes,
		step: leastStepBytes,
		reserve: reserveBytes,
	};
	let waitingWrites: string | null | undefined;
	let saidFull = false;
	let looking: Promise<boolean> | undefined;

	/** What programs have written and the file system has not yet placed is not in its own figure. */
	async function freeBytes(): Promise<number> {
		const { bavail, bsize } = await statfs(mountPoint);
		waitingWrites ??= await findWaitingWrites(store);
		const waiting = waitingWrites === null ? 0 : Number(await readFile(waitingWrites, "utf8"));
		return bavail * bsize - waiting;
	}

	/** @returns how large the file is to become; its present size when it cannot grow. */
	async function nextSize(image: VolumeStore & { kind: "image" }): Promise<number> {
		const { size } = await stat(image.file);
		const disk = await statfs(dirname(image.file));
		const room = Math.max(0, disk.bavail * disk.bsize - reserve);
		const most = await mostBytes(image);
		const next = Math.min(most, size + Math.min(room, Math.max(step, size * stepShare)));
		return next < most && next - size < worthBytes ? size : next - (next % 4096);
	}

	async function look(): Promise<boolean> {
		const free = await freeBytes();
		if (free >= headroom || store.kind === "device") return free >= scarceBytes;
		const [device] = await devicesOf(store);
		const next = await nextSize(store);
		if (device !== undefined && next > (await stat(store.file)).size) {
			await growImage(store.file, next, device, mountPoint);
			log.info({ bytes: next }, "the file of the volumes has grown");
			saidFull = false;
			return true;
		}
		if (!saidFull) log.warn({ free }, "the file of the volumes cannot grow: it is at its limit, or its disk is full");
		saidFull = true;
		return free >= scarceBytes;
	}

	return {
		look() {
			looking ??= look().finally(() => {
				looking = undefined;
			});
			return looking;
		},
	};
}

/** The kernel's count of bytes that wait to be placed; null when this kernel does not tell. */
async function findWaitingWrites(store: VolumeStore): Promise<string | null> {
	const names = (await devicesOf(store)).map((device) => basename(device));
	const root = "/sys/fs/btrfs";
	for (const entry of await readdir(root)) {
		const devices = await readdir(join(root, entry, "devices")).catch(() => []);
		if (!devices.some((device) => names.includes(device))) continue;
		const file = join(root, entry, "allocation/data/bytes_may_use");
		return (await stat(file).catch(() => null)) && file;
	}
	return null;
}
