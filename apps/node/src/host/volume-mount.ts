import { mkdir, open, realpath, rename, stat, statfs, truncate } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { CommandError, runCommand } from "@repldock/service";
import { z } from "zod";
import { listMounts } from "./mount-table.ts";

/** Where volumes live: a btrfs file system in a sparse file, or on a block device. */
export type VolumeStore =
	| {
			kind: "image";
			file: string /** Defaults to 80 % of the free space; a larger one grows the file. */;
			bytes?: number;
	  }
	| { kind: "device"; path: string };

const shareOfFreeSpace = 0.8;

/** mkfs.btrfs refuses anything much smaller. */
const leastBytes = 256 * 1024 * 1024;

/** Usage is as fresh as the last commit, so commits come more often than every 30 s. */
const mountOptions = "nosuid,nodev,noatime,compress=zstd:1,commit=10";

const freeTimeoutMs = 15_000;

const Loops = z.object({ loopdevices: z.array(z.object({ name: z.string() })) });

/**
 * Mounts the volumes' file system, making it first when there is none. A mount that an earlier process left behind is
 * taken over as it is: containers may be using it.
 * @throws Error when something else is mounted there.
 */
export async function mountVolumes(store: VolumeStore, mountPoint: string): Promise<void> {
	await mkdir(mountPoint, { recursive: true, mode: 0o711 });
	const mounted = await mountedSource(mountPoint);
	if (mounted !== null) {
		const own = await devicesOf(store);
		if (!own.includes(mounted)) throw new Error(`${mounted} is mounted on ${mountPoint}, not this node's volumes.`);
		if (store.kind === "image") await growImage(store.file, store.bytes, mounted, mountPoint);
		return;
	}
	if (store.kind === "image") {
		await ensureImage(store.file, store.bytes);
		for (const device of await devicesOf(store)) await runCommand("losetup", ["--detach", device]);
		// Kept while mounted, freed by the kernel with the last use, whoever unmounts.
		await runCommand("mount", ["-t", "btrfs", "-o", `loop,${mountOptions}`, store.file, mountPoint]);
		const device = await mountedSource(mountPoint);
		if (device !== null) await growImage(store.file, store.bytes, device, mountPoint);
	} else {
		await runCommand("mount", ["-t", "btrfs", "-o", mountOptions, store.path, mountPoint]);
	}
	await runCommand("btrfs", ["quota", "enable", mountPoint]);
}

/** Unmounts and frees the loop device. Harmless when nothing is mounted. */
export async function unmountVolumes(store: VolumeStore, mountPoint: string): Promise<void> {
	if ((await mountedSource(mountPoint)) !== null) await runCommand("umount", [mountPoint]);
	if (store.kind === "device") return;
	for (const device of await devicesOf(store)) await runCommand("losetup", ["--detach", device]).catch(ignoreFreed);
	// Freed with the last use, which may be a container's that is just ending. The kernel tells nobody, so it is asked.
	const giveUp = AbortSignal.timeout(freeTimeoutMs);
	while ((await devicesOf(store)).length > 0) {
		if (giveUp.aborted) throw new Error(`A program still uses the volumes in ${store.file}.`);
		await delay(50);
	}
}

/** The kernel may free a device in the moment in which we do. */
function ignoreFreed(error: unknown): void {
	if (!(error instanceof CommandError && error.stderr.includes("No such device"))) throw error;
}

/** Made beside its place and renamed, so that a crash leaves no half-made file system under the name. */
async function ensureImage(file: string, bytes: number | undefined): Promise<void> {
	if (await exists(file)) return;
	const draft = `${file}.new`;
	const handle = await open(draft, "w", 0o600);
	try {
		const free = await statfs(draft);
		const wanted = bytes ?? Math.floor(free.bavail * free.bsize * shareOfFreeSpace);
		const whole = Math.max(leastBytes, wanted - (wanted % 4096));
		await handle.truncate(whole);
	} finally {
		await handle.close();
	}
	await runCommand("mkfs.btrfs", ["--quiet", "--label", "repldock", draft]);
	await rename(draft, file);
}

/** A file system never shrinks: files in it may be anywhere. */
async function growImage(file: string, bytes: number | undefined, device: string, mountPoint: string): Promise<void> {
	if (bytes === undefined || bytes <= (await stat(file)).size) return;
	await truncate(file, bytes - (bytes % 4096));
	await runCommand("losetup", ["--set-capacity", device]);
	await runCommand("btrfs", ["filesystem", "resize", "max", mountPoint]);
}

/** Block devices that hold the store: a device itself, or the loop devices of the file. */
async function devicesOf(store: VolumeStore): Promise<string[]> {
	if (store.kind === "device") return [await realpath(store.path)];
	if (!(await exists(store.file))) return [];
	const output = await runCommand("losetup", ["--json", "--list", "--output", "NAME", "--associated", store.file]);
	return output.trim() === "" ? [] : Loops.parse(JSON.parse(output)).loopdevices.map(({ name }) => name);
}

/** The source of what is mounted last on this very path; null when nothing is. */
async function mountedSource(mountPoint: string): Promise<string | null> {
	const path = await realpath(mountPoint).catch(ignoreMissing);
	if (path === null) return null;
	return (await listMounts()).findLast((mount) => mount.place === path)?.source ?? null;
}

async function exists(path: string): Promise<boolean> {
	return (await stat(path).catch(ignoreMissing)) !== null;
}

function ignoreMissing(error: NodeJS.ErrnoException): null {
	if (error.code === "ENOENT") return null;
	throw error;
}
