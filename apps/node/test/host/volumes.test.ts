import { randomUUID } from "node:crypto";
import { chmod, lstat, mkdir, readdir, readFile, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type CleanupStack, runCommand } from "@repldock/service";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createSubvolume, deleteLoneSubvolume, snapshotSubvolume } from "../../src/host/btrfs.ts";
import { commit, makeSubvolume, removeSubvolume, setLimit, takeSnapshot } from "../../src/host/btrfs-calls.ts";
import { openProjectFiles } from "../../src/host/files/project-files.ts";
import { createVolumeGrowth } from "../../src/host/volume-growth.ts";
import { mountVolumes, unmountVolumes, type VolumeStore } from "../../src/host/volume-mount.ts";
import { createVolumes } from "../../src/host/volumes.ts";
import { findLeftovers, log, makeScratch } from "./machine.ts";

const owner = { uid: 300_000, gid: 300_001 };
const megabyte = 1024 * 1024;
let directory: string;
let mountPoint: string;
let seed: string;
let store: VolumeStore & { kind: "image" };
let volumes: ReturnType<typeof createVolumes>;
let cleanup: CleanupStack;

beforeAll(async () => {
	({ directory, cleanup } = await makeScratch());
	mountPoint = join(directory, "volumes with space");
	store = { kind: "image", file: join(directory, "volumes.img"), bytes: 1024 * megabyte };
	await mountVolumes(store, mountPoint);
	cleanup.push("volumes", () => unmountVolumes(store, mountPoint));
	volumes = createVolumes({ mountPoint, owner });
	await volumes.reclaim();
	seed = join(directory, "seed");
	await mkdir(join(seed, "bin"), { recursive: true });
	await writeFile(join(seed, "main.py"), "print(1)\n");
	await writeFile(join(seed, "bin/start"), "#!/bin/sh\n");
	await chmod(join(seed, "bin/start"), 0o755);
	await symlink("main.py", join(seed, "-rf"));
});

afterAll(async () => {
	await cleanup.run();
	expect(await findLeftovers(directory)).toEqual([]);
});

test("a new volume holds the seed with its modes, owned by the containers' user, and is left as it is the next time", async () => {
	const id = randomUUID();
	await Promise.all([volumes.create(id, seed, 50 * megabyte), volumes.create(id, seed, 50 * megabyte)]);
	expect((await readdir(volumes.path(id))).sort()).toEqual(["-rf", "bin", "main.py"]);
	expect(await stat(join(volumes.path(id), "bin/start"))).toMatchObject({ ...owner, mode: 0o100755 });
	expect(await stat(volumes.path(id))).toMatchObject({ ...owner, mode: 0o040700 });
	expect(await lstat(join(volumes.path(id), "-rf"))).toMatchObject(owner);
	for (const name of ["main.py", "bin", "bin/start"]) {
		const [here, there] = await Promise.all([stat(join(volumes.path(id), name)), stat(join(seed, name))]);
		expect(Math.abs(here.mtimeMs - there.mtimeMs)).toBeLessThan(2);
	}
	await writeFile(join(volumes.path(id), "main.py"), "print(2)\n");
	await volumes.create(id, seed, 50 * megabyte);
	expect(await readFile(join(volumes.path(id), "main.py"), "utf8")).toBe("print(2)\n");
	expect(await volumes.list()).toContain(id);
});

test("subvolumes are made, limited, snapshotted and removed without a program; where that fails the program says why", async () => {
	const [made, copy, frozen] = ["made", "copy", "frozen"].map((name) => join(mountPoint, `.${name}`)) as [
		string,
		string,
		string,
	];
	expect(await makeSubvolume(made)).toBe(true);
	expect(await setLimit(made, 50 * megabyte)).toBe(true);
	await writeFile(join(made, "file"), "x");
	expect([await takeSnapshot(made, copy, false), await takeSnapshot(made, frozen, true)]).toEqual([true, true]);
	const generation = async () => (await runCommand("btrfs", ["subvolume", "show", made])).match(/Generation:.*/)?.[0];
	const before = await generation();
	await writeFile(join(made, "file"), "x");
	expect(await commit(mountPoint)).toBe(true);
	expect(await generation()).not.toBe(before);
	const limits = await runCommand("btrfs", ["qgroup", "show", "--raw", "-r", "-f", made]);
	expect(limits).toMatch(new RegExp(` ${50 * megabyte}\\b`));
	await writeFile(join(copy, "file"), "y");
	await expect(writeFile(join(frozen, "file"), "y")).rejects.toMatchObject({ code: "EROFS" });
	expect(await readFile(join(frozen, "file"), "utf8")).toBe("x");

	expect([await makeSubvolume(made), await setLimit("/tmp", 1), await takeSnapshot("/tmp", copy, true)]).toEqual([
		false,
		false,
		false,
	]);
	expect(await commit("/proc")).toBe(false);
	await expect(createSubvolume(made)).rejects.toThrow("already exists");
	await expect(snapshotSubvolume("/tmp", join(mountPoint, ".none"), "read-only")).rejects.toThrow("Not a Btrfs");
	await expect(snapshotSubvolume(made, copy, "writable")).rejects.toThrow("is there already");
	await expect(createSubvolume(join(mountPoint, "missing/x"))).rejects.toMatchObject({ code: "ENOENT" });
	await createSubvolume(join(made, "inner"));
	expect(await removeSubvolume(made)).toBe(false);
	await expect(deleteLoneSubvolume(made)).rejects.toThrow("not empty");
	expect(await removeSubvolume(join(made, "inner"))).toBe(true);
	for (const path of [made, copy, frozen]) expect(await removeSubvolume(path)).toBe(true);
	expect(await removeSubvolume(made)).toBe(false);
});

test("a full volume gives quota_exceeded, keeps what was saved, can be emptied and used again", async () => {
	const id = randomUUID();
	await volumes.create(id, seed, 20 * megabyte);
	const files = openProjectFiles(volumes.path(id), owner);
	await files.writeFile("small", "kept");
	const chunks = function* () {
		for (let i = 0; i < 40; i += 1) yield randomChunk();
	};
	const upload = files.receive("large", Readable.from(chunks()), { overwrite: false });
	await expect(upload).rejects.toMatchObject({ code: "quota_exceeded" });
	for (let i = 0; ; i += 1) {
		const failed = await files.writeFile(`fill${i}`, randomChunk()).then(
			() => null,
			(error: unknown) => error,
		);
		if (failed === null) continue;
		expect(failed).toMatchObject({ code: "quota_exceeded" });
		break;
	}
	await expect(files.writeFile("small", randomChunk())).rejects.toMatchObject({ code: "quota_exceeded" });
	expect((await files.readFile("small", { maxBytes: 100 })).toString()).toBe("kept");
	for (const { name } of (await files.list("", 100)).entries) if (name.startsWith("fill")) await files.remove(name);
	await runCommand("btrfs", ["filesystem", "sync", mountPoint]);
	await files.writeFile("small", "changed");
	await volumes.setQuota(id, 100 * megabyte);
	const usage = await volumes.usage(id);
	expect(usage.limitBytes).toBe(100 * megabyte);
	expect(usage.usedBytes).toBeLessThan(5 * megabyte);
	await files.receive("large", Readable.from(chunks()), { overwrite: false });
	await runCommand("btrfs", ["filesystem", "sync", mountPoint]);
	await volumes.setQuota(id, 100 * megabyte);
	expect((await volumes.usage(id)).usedBytes).toBeGreaterThan(40 * megabyte);
});

test("a removed volume is gone with the subvolumes inside it and its counter; removing it again is harmless", async () => {
	const id = randomUUID();
	await volumes.create(id, seed, 50 * megabyte);
	await runCommand("btrfs", ["subvolume", "create", join(volumes.path(id), "inner")]);
	await runCommand("btrfs", ["subvolume", "create", join(volumes.path(id), "inner/most")]);
	await volumes.remove(id);
	await volumes.remove(id);
	expect(await volumes.exists(id)).toBe(false);
	expect(await runCommand("btrfs", ["subvolume", "list", mountPoint])).not.toContain(id);
});

test("ids that are none never become a path", async () => {
	for (const id of ["..", "../x", "", `${randomUUID()}/..`, ".hidden"]) {
		expect(() => volumes.path(id)).toThrow("not a project id");
		await expect(volumes.create(id, seed, megabyte)).rejects.toThrow("not a project id");
		await expect(volumes.remove(id)).rejects.toThrow("not a project id");
	}
});

test("after a crash the mount is taken over, half-made volumes are removed, and the file grows", async () => {
	const id = randomUUID();
	await volumes.create(id, seed, 50 * megabyte);
	await runCommand("btrfs", ["subvolume", "create", join(mountPoint, `.${randomUUID()}.new`)]);
	await mountVolumes({ ...store, bytes: 1500 * megabyte }, mountPoint);
	await volumes.reclaim();
	expect((await readdir(mountPoint)).filter((name) => name.startsWith("."))).toEqual([]);
	expect(await volumes.exists(id)).toBe(true);
	const shown = await runCommand("btrfs", ["filesystem", "show", "--raw", mountPoint]);
	expect(shown).toContain(`size ${1500 * megabyte} `);
	await unmountVolumes(store, mountPoint);
	// A loop device that a crash left without a mount.
	await runCommand("losetup", ["--find", store.file]);
	await mountVolumes(store, mountPoint);
	expect(await volumes.exists(id)).toBe(true);
	expect((await volumes.usage(id)).limitBytes).toBe(50 * megabyte);
	await rm(join(volumes.path(id), "main.py"));
});

/** How the kernel says that it mounted the file system there: options of the mount and of the file system. */
async function mountedWith(place: string): Promise<string[]> {
	const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
	const line = lines.find((one) => one.split(" ")[4] === place.replaceAll(" ", "\\040"));
	if (!line) throw new Error(`nothing is mounted at ${place}`);
	const [before = "", after = ""] = line.split(" - ");
	const [type = "", , ofFileSystem = ""] = after.split(" ");
	return [type, ...(before.split(" ")[5] ?? "").split(","), ...ofFileSystem.split(",")];
}

test("the file's file system is mounted compressed, and no program in it gets rights or devices by it", async () => {
	expect(await mountedWith(mountPoint)).toEqual(
		expect.arrayContaining(["btrfs", "compress=zstd:1", "nosuid", "nodev", "noatime"]),
	);
});

test("volumes on a device: mounted alike, taken over as it is, given back, and there the next time", async () => {
	const { device, place } = await makeDevice(256 * megabyte);
	await runCommand("mkfs.btrfs", ["--quiet", device]);
	const onDevice: VolumeStore = { kind: "device", path: device };
	onTestFinished(() => unmountVolumes(onDevice, place));
	await mountVolumes(onDevice, place);
	expect(await mountedWith(place)).toEqual(
		expect.arrayContaining(["btrfs", "compress=zstd:1", "nosuid", "nodev", "noatime"]),
	);
	const there = createVolumes({ mountPoint: place, owner });
	await there.reclaim();
	const id = randomUUID();
	await there.create(id, seed, 50 * megabyte);
	await mountVolumes(onDevice, place);
	expect((await there.usage(id)).limitBytes).toBe(50 * megabyte);
	// It grows for nobody: what is on it is all that there is.
	expect(await createVolumeGrowth({ store: onDevice, mountPoint: place, log }).look()).toBe(true);
	await unmountVolumes(onDevice, place);
	await unmountVolumes(onDevice, place);
	expect(await readdir(place)).toEqual([]);
	await mountVolumes(onDevice, place);
	expect(await readFile(join(there.path(id), "main.py"), "utf8")).toBe("print(1)\n");
});

test("a device without btrfs is refused with a sentence that says what to do, and stays as it is", async () => {
	const { device, file, place } = await makeDevice(16 * megabyte);
	const onDevice: VolumeStore = { kind: "device", path: device };
	const untouched = await sumOf(file);
	const make = new RegExp(`no file system.*nothing was changed.*mkfs.btrfs --label repldock ${device}`);
	await expect(mountVolumes(onDevice, place)).rejects.toThrow(make);
	expect(await sumOf(file)).toBe(untouched);
	await runCommand("mkfs.ext4", ["-q", device]);
	const others = await sumOf(file);
	await expect(mountVolumes(onDevice, place)).rejects.toThrow("a file system of type ext4, not btrfs");
	expect(await sumOf(file)).toBe(others);
	await expect(mountVolumes({ kind: "device", path: file }, place)).rejects.toThrow("is no block device");
	await expect(mountVolumes({ kind: "device", path: "/dev/none" }, place)).rejects.toThrow("does not exist");
});

/** A block device of this test's own, which it gives back, and a place to mount it at. */
async function makeDevice(bytes: number) {
	const name = randomUUID();
	const file = join(directory, `${name}.device`);
	await writeFile(file, "");
	await truncate(file, bytes);
	const device = (await runCommand("losetup", ["--find", "--show", file])).trim();
	onTestFinished(async () => {
		await runCommand("losetup", ["--detach", device]);
	});
	return { device, file, place: join(directory, name) };
}

async function sumOf(file: string): Promise<string> {
	return (await runCommand("sha256sum", ["--", file])).slice(0, 64);
}

function randomChunk(): Buffer {
	const chunk = Buffer.alloc(megabyte);
	for (let at = 0; at < megabyte; at += 65_536) crypto.getRandomValues(chunk.subarray(at, at + 65_536));
	return chunk;
}
