import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, rm, stat, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CleanupStack, runCommand } from "@repldock/service";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openProjectFiles } from "../../src/host/files/project-files.ts";
import { createVolumeGrowth } from "../../src/host/volume-growth.ts";
import { mountVolumes, unmountVolumes } from "../../src/host/volume-mount.ts";
import { createVolumes } from "../../src/host/volumes.ts";
import { findLeftovers, log, makeScratch } from "./machine.ts";

const owner = { uid: 300_000, gid: 300_001 };
const megabyte = 1024 * 1024;
const chunk = randomBytes(16 * megabyte);
let directory: string;
let cleanup: CleanupStack;

beforeAll(async () => {
	({ directory, cleanup } = await makeScratch());
});
afterAll(async () => {
	await cleanup.run();
	expect(await findLeftovers(directory)).toEqual([]);
});

/** Volumes of 300 MB on a disk of their own, which can be full. */
async function startVolumes(diskBytes: number) {
	const disk = join(directory, randomUUID());
	await mkdir(disk);
	await runCommand("mount", ["-t", "tmpfs", "-o", `size=${diskBytes}`, "disk", disk]);
	cleanup.push("disk", async () => void (await runCommand("umount", [disk])));
	const store = { kind: "image", file: join(disk, "volumes.img"), bytes: 300 * megabyte } as const;
	const mountPoint = join(directory, randomUUID());
	await mountVolumes(store, mountPoint);
	cleanup.push("volumes", () => unmountVolumes(store, mountPoint));
	const volumes = createVolumes({ mountPoint, owner });
	const seed = join(directory, "seed");
	await mkdir(seed, { recursive: true });
	const id = randomUUID();
	await volumes.create(id, seed, 10_000 * megabyte);
	const files = openProjectFiles(volumes.path(id), owner);
	const sizes = { headroom: 100 * megabyte, step: 128 * megabyte, reserve: 16 * megabyte };
	return { disk, store, mountPoint, files, sizes };
}

/** Writes until nothing more fits. @returns the code of the refusal. */
async function fill(files: ReturnType<typeof openProjectFiles>, onWritten: () => Promise<unknown>) {
	for (let at = 0; ; at += 1) {
		const refused = await files.writeFile(`fill${at}`, chunk).then(
			() => null,
			(error: { code?: string }) => error.code,
		);
		if (refused) return { code: refused, written: at * chunk.length };
		await onWritten();
	}
}

test("the file grows before it is full, up to its limit, and then programs are told that there is no room", async () => {
	const { store, mountPoint, files, sizes } = await startVolumes(1024 * megabyte);
	const limit = 700 * megabyte;
	const growth = createVolumeGrowth({ store: { ...store, bytes: limit }, mountPoint, log, sizes });
	expect(await growth.look()).toBe(true);
	const { code, written } = await fill(files, () => growth.look());
	expect(code).toBe("disk_full");
	expect(written).toBeGreaterThan(500 * megabyte);
	expect((await stat(store.file)).size).toBe(limit);
	expect((await statfs(mountPoint)).blocks * 4096).toBe(limit);
	expect(await growth.look()).toBe(false);
	// All of it was taken from the disk, not only promised.
	expect((await stat(store.file)).blocks * 512).toBeGreaterThanOrEqual(limit);
	await files.remove("fill0");
	await runCommand("btrfs", ["filesystem", "sync", mountPoint]);
	await files.writeFile("small", "fits");
}, 120_000);

test("a disk that something else fills stops the growth and nothing more: what was written stays, and it grows when there is room", async () => {
	const { disk, store, mountPoint, files, sizes } = await startVolumes(600 * megabyte);
	const growth = createVolumeGrowth({ store: { ...store, bytes: 500 * megabyte }, mountPoint, log, sizes });
	await files.writeFile("kept", "kept");
	const { bavail, bsize } = await statfs(disk);
	await writeFile(join(disk, "filler"), Buffer.alloc(bavail * bsize));
	const { code } = await fill(files, () => growth.look());
	expect(code).toBe("disk_full");
	expect(await growth.look()).toBe(false);
	await runCommand("btrfs", ["filesystem", "sync", mountPoint]);
	expect((await files.readFile("fill0", { maxBytes: chunk.length })).equals(chunk)).toBe(true);
	await rm(join(disk, "filler"));
	expect(await growth.look()).toBe(true);
	await files.writeFile("more", chunk);
	await runCommand("btrfs", ["filesystem", "sync", mountPoint]);
	expect((await files.readFile("kept", { maxBytes: 10 })).toString()).toBe("kept");
}, 120_000);
