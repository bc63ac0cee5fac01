import { lstat, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { bottomOf, describeTree, makeHostileTree } from "./hostile-tree.ts";
import { type CheckpointNode, type Cluster, startCluster } from "./rig.ts";

vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 120_000 });

/** Under `./repldock test faults` as many as the promise says. */
const manyFiles = process.env.REPLDOCK_FAULTS === "long" ? 1_000_000 : 20_000;

let cluster: Cluster;
let one: CheckpointNode;
let two: CheckpointNode;

beforeAll(async () => {
	cluster = await startCluster({ volumeBytes: 6 * 1024 ** 3 });
	one = await cluster.startNode("one");
	two = await cluster.startNode("two", { uid: 400_000, gid: 400_001 });
});
afterAll(() => cluster.release());

test(`a tree of ${manyFiles} files, holes, deep folders, loops, sockets and setuid bits comes back as it was, in any place`, async () => {
	const placement = cluster.place({ limits: { memoryBytes: 1, cpus: 1, pids: 8, diskBytes: 5 * 1024 ** 3 } });
	const { projectId } = placement;
	await one.volumes.create(projectId, cluster.template, placement.limits.diskBytes);
	const made = one.volumes.path(projectId);
	await makeHostileTree(made, manyFiles);
	await one.checkpoints.round();
	await rm(join(made, "many/0"), { recursive: true });
	await one.checkpoints.round();
	expect(cluster.chainOf(projectId)).toHaveLength(2);
	// A terabyte of nothing costs nothing.
	const stored = cluster.chainOf(projectId).reduce((sum, { bytes }) => sum + bytes, 0);
	expect(stored).toBeLessThan(manyFiles * 120 + 2_000_000);

	await two.checkpoints.restore(cluster.place({ ...placement, generation: 2, stored: true }));
	const restored = two.volumes.path(projectId);
	// Setuid bits go with the old owner; on these file systems they mean nothing.
	expect(await describeTree(restored)).toBe((await describeTree(made)).replace("f 6755 ", "f 755 "));
	expect(await readFile(bottomOf(restored), "utf8")).toBe("reached");
	const [sparse, shared] = await Promise.all(["sparse", "same7"].map((name) => lstat(join(restored, name))));
	expect(sparse).toMatchObject({ size: 1024 ** 4, uid: 400_000 });
	expect(sparse?.blocks).toBeLessThan(1000);
	expect(shared?.nlink).toBe(301);
	expect(await readdir(restored)).toContain("socket");
	await two.volumes.remove(projectId);
	expect(await two.volumes.exists(projectId)).toBe(false);
});
