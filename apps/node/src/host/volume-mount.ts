import { mkdir, open, realpath, rename, rm, stat, statfs, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { assertBtrfsDevice, CommandError, runCommand } from "@repldock/service";
import { z } from "zod";
import { listMounts } from "./mount-table.ts";

/** Where volumes live: a btrfs file system in a file that grows on demand, or on a block device. */
export type VolumeStore =
	| {
			kind: "image";
			file: string;
			/** The most that the file may grow to; 80 % of the disk's free space when not given. */
			bytes?: number;
	  }
	| { kind: "device"; path: string };

const shareOfFreeSpace = 0.8;

/** What the file has from the start, limit permitting. */
const firstBytes = 4 * 1024 * 1024 * 1024;

/** mkfs.btrfs refuses anything much smaller. */
const leastBytes = 256 * 1024 * 1024;

/** Usage is as fresh as the last commit, so commits come more often than every 30 s. */
const mountOptions = "nosuid,nodev,noatime,compress=zstd:1,commit=10";

/** A file keeps the space that it was given: what was given back could be gone when it is needed again. */
const imageOptions = `loop,nodiscard,${mountOptions}`;

const freeTimeoutMs = 15_000;

const Loops = z.object({ loopdevices: z.array(z.object({ name: z.string() })) });

/**
 * Mounts the volumes' file system, making its file first when there is none. A mount that an earlier process left behind is
 * taken over as it is: containers may be using it.
 * @throws Error when something else is mounted there, or the device holds no btrfs: it is never formatted, since whatever is
 * on it is somebody's.
 */
export async function mountVolumes(store: VolumeStore, mountPoint: string): Promise<void> {
	await mkdir(mountPoint, { recursive: true, mode: 0o711 });
	const mounted = await mountedSource(mountPoint);
	if (mounted !== null) {
		const own = await devicesOf(store);
		if (!own.includes(mounted)) throw new Error(`${mounted} is mounted on ${mountPoint}, not this node's volumes.`);
		if (store.kind === "image") await growToStart(store, mounted, mountPoint);
		return;
	}
	if (store.kind === "image") {
		await ensureImage(store);
		for (const device of await devicesOf(store)) await runCommand("losetup", ["--detach", device]);
		// Kept while mounted, freed by the kernel with the last use, whoever unmounts.
		await runCommand("mount", ["-t", "btrfs", "-o", imageOptions, store.file, mountPoint]);
		const device = await mountedSource(mountPoint);
		if (device !== null) await growToStart(store, device, mountPoint);
	} else {
		await assertBtrfsDevice(store.path);
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
async function ensureImage(store: VolumeStore & { kind: "image" }): Promise<void> {
	if (await exists(store.file)) return;
	const draft = `${store.file}.new`;
	await rm(draft, { force: true });
	const handle = await open(draft, "wx", 0o600);
	await handle.close();
	await allocate(draft, 0, Math.max(leastBytes, Math.min(firstBytes, await mostBytes(store))));
	await runCommand("mkfs.btrfs", ["--quiet", "--nodiscard", "--label", "repldock", draft]);
	await rename(draft, store.file);
}

/** The most that the file may grow to, as things are now; a multiple of 4,096. */
export async function mostBytes({ file, bytes }: VolumeStore & { kind: "image" }): Promise<number> {
	if (bytes !== undefined) return bytes - (bytes % 4096);
	const free = await statfs(dirname(file));
	const held = (await stat(file).catch(ignoreMissing))?.blocks ?? 0;
	const most = Math.floor((free.bavail * free.bsize + held * 512) * shareOfFreeSpace);
	return most - (most % 4096);
}

async function growToStart(store: VolumeStore & { kind: "image" }, device: string, mountPoint: string) {
	const bytes = Math.min(firstBytes, await mostBytes(store));
	if (bytes > (await stat(store.file)).size) await growImage(store.file, bytes, device, mountPoint);
}

/**
 * Grows the file and the file system in it, which never shrinks: files in it may be anywhere.
 * @throws Error when the disk has no room for it; the file is then as it was.
 */
export async function growImage(file: string, bytes: number, device: string, mountPoint: string): Promise<void> {
	await allocate(file, (await stat(file)).size, bytes);
	await runCommand("losetup", ["--set-capacity", device]);
	await runCommand("btrfs", ["filesystem", "resize", "max", mountPoint]);
}

/**
 * Takes the space from the disk for good. Were it only promised (a hole), a disk that something else fills would fail
 * writes below the file system, which then gives up, where otherwise programs are told that there is no room.
 */
async function allocate(file: string, fromBytes: number, toBytes: number): Promise<void> {
	const range = ["--offset", String(fromBytes), "--length", String(toBytes - fromBytes)];
	try {
		await runCommand("fallocate", [...range, file]);
	} catch (error) {
		await truncate(file, fromBytes);
		if (!(error instanceof CommandError && error.stderr.includes("not supported"))) throw error;
		// A disk that cannot give space in advance, such as some network file systems.
		await truncate(file, toBytes);
	}
}

/** Block devices that hold the store: a device itself, or the loop devices of the file. */
export async function devicesOf(store: VolumeStore): Promise<string[]> {
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
