import { randomBytes, randomUUID } from "node:crypto";
import { appendFile, link, mkdir, readdir, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { type CleanupStack, runCommand } from "@repldock/service";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSubvolume } from "../../src/host/btrfs.ts";
import { createSnapshots } from "../../src/host/snapshots.ts";
import { createSubvolumeList } from "../../src/host/subvolume-list.ts";
import { mountVolumes, unmountVolumes, type VolumeStore } from "../../src/host/volume-mount.ts";
import type { SnapshotName } from "../../src/host-storage.ts";
import { makeScratch } from "./machine.ts";

const megabyte = 1024 * 1024;
let mountPoint: string;
let snapshots: ReturnType<typeof createSnapshots>;
let cleanup: CleanupStack;

beforeAll(async () => {
	const scratch = await makeScratch();
	cleanup = scratch.cleanup;
	mountPoint = join(scratch.directory, "volumes");
	const store: VolumeStore = { kind: "image", file: join(scratch.directory, "volumes.img"), bytes: 1024 * megabyte };
	await mountVolumes(store, mountPoint);
	cleanup.push("volumes", () => unmountVolumes(store, mountPoint));
	snapshots = createSnapshots(mountPoint);
});

afterAll(() => cleanup.run());

/** A volume whose snapshots are taken one after another. */
async function startVolume() {
	const projectId = randomUUID();
	const volume = join(mountPoint, projectId);
	let taken = 0;
	await createSubvolume(volume);
	return {
		id: projectId,
		volume,
		async take(): Promise<SnapshotName> {
			taken += 1;
			const snapshot = { projectId, name: `1.${taken}` };
			await snapshots.take(projectId, snapshot.name);
			return snapshot;
		},
	};
}

async function sentByProgram(snapshot: SnapshotName, parent: SnapshotName | null): Promise<Buffer> {
	const { output, done } = snapshots.send(snapshot, parent);
	const bytes = await buffer(output);
	await done;
	return bytes;
}

const openFiles = async () => (await readdir("/proc/self/fd")).length;

test("a small increment is byte for byte what the btrfs program sends", async () => {
	const { volume, take } = await startVolume();
	const at = (name: string) => join(volume, name);
	await mkdir(at("folder"));
	await writeFile(at("folder/cloned"), randomBytes(300_000));
	await writeFile(at("edited"), "a line\n".repeat(1_000));
	await writeFile(at("removed"), "x");
	await writeFile(at("renamed"), "y");
	const before = await take();
	const unchanged = await take();

	await appendFile(at("edited"), "another line\n");
	await rm(at("removed"));
	await rename(at("renamed"), at("folder/renamed"));
	await mkdir(at("new"), { mode: 0o751 });
	await writeFile(at("new/incompressible"), randomBytes(200_000));
	await writeFile(at(`new/${"ü".repeat(127)}`), "long name");
	await link(at("edited"), at("new/hard"));
	await symlink("../edited", at("new/soft"));
	await writeFile(at("new/sparse"), "");
	await truncate(at("new/sparse"), 100_000);
	// Of these bytes the stream says that they are the parent's, which alone has the file that they are cloned from.
	await runCommand("cp", ["--reflink=always", at("folder/cloned"), at("new/clone")]);
	await rm(at("folder/cloned"));
	await runCommand("mkfifo", [at("new/pipe")]);
	const after = await take();

	for (const [snapshot, parent] of [
		[after, null],
		[unchanged, before],
		[after, before],
		[before, after],
	] as const) {
		const ours = await snapshots.sendSmall(snapshot, parent);
		expect(ours?.equals(await sentByProgram(snapshot, parent))).toBe(true);
	}
	const bytes = (await snapshots.sendSmall(after, before))?.length ?? 0;
	expect(bytes).toBeGreaterThan(200_000);
	expect(bytes).toBeLessThan(300_000);
});

test("one that is too large is left to the program, and neither this nor a small one leaves a file open", async () => {
	const { volume, take } = await startVolume();
	const before = await take();
	await writeFile(join(volume, "small"), randomBytes(megabyte / 2));
	const small = await take();
	await writeFile(join(volume, "large"), randomBytes(3 * megabyte));
	const large = await take();
	const send = () => Promise.all([snapshots.sendSmall(small, before), snapshots.sendSmall(large, small)]);
	await send();
	const openBefore = await openFiles();
	for (let round = 0; round < 100; round += 1) {
		const [ours, none] = await send();
		expect(ours?.length).toBeGreaterThan(megabyte / 2);
		expect(none).toBeNull();
	}
	expect(await openFiles()).toBe(openBefore);
	expect((await sentByProgram(large, small)).length).toBeGreaterThan(3 * megabyte);
});

test("one that cannot be sent is left to the program, which says why", async () => {
	const { volume, take } = await startVolume();
	const before = await take();
	await writeFile(join(volume, "file"), "x");
	const after = await take();
	const openBefore = await openFiles();
	await runCommand("btrfs", ["property", "set", "-f", snapshots.path(after.projectId, after.name), "ro", "false"]);
	expect(await snapshots.sendSmall(after, before)).toBeNull();
	await expect(sentByProgram(after, before)).rejects.toThrow("read-only");
	const missing = { projectId: before.projectId, name: "9.9" };
	await expect(snapshots.sendSmall(before, missing)).rejects.toMatchObject({ code: "ENOENT" });
	expect(await openFiles()).toBe(openBefore);
});

test("a survey tells of all volumes and snapshots what the btrfs program tells, and of no stranger's subvolumes", async () => {
	const made = [];
	// More than one answer of the kernel holds.
	for (let at = 0; at < 130; at += 1) made.push(await startVolume());
	const [first, second] = made as [(typeof made)[0], (typeof made)[0]];
	const taken = [await first.take(), await first.take(), await second.take()];
	await createSubvolume(join(first.volume, randomUUID()));
	await mkdir(join(first.volume, ".checkpoints"));
	await createSubvolume(join(first.volume, ".checkpoints", "1.1"));
	await writeFile(join(second.volume, "file"), "x");
	await snapshots.flush();

	const { volumes, snapshots: named } = await snapshots.survey();
	const printed = await runCommand("btrfs", ["subvolume", "list", "-o", mountPoint]);
	const lines = [...printed.matchAll(/^ID \d+ gen (\d+) top level 5 path (.+)$/gm)];
	const counts = new Map(lines.map(([, count, path]) => [path as string, Number(count)]));
	expect(await createSubvolumeList(mountPoint)()).toEqual(counts);
	const told = [
		...volumes,
		...[...named].flatMap(([projectId, those]) =>
			[...those].map(([name, count]) => [`.checkpoints/${projectId}/${name}`, count] as const),
		),
	];
	expect(new Map(told)).toEqual(counts);
	for (const { projectId, name } of taken) expect(named.get(projectId)?.has(name)).toBe(true);

	await snapshots.remove(taken);
	expect((await snapshots.survey()).snapshots.has(first.id)).toBe(false);
	expect(await readdir(join(mountPoint, ".checkpoints"))).not.toContain(first.id);
});
