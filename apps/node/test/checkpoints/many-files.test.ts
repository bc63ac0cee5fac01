import { createWriteStream } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { runCommand } from "@repldock/service";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { compareTrees } from "../../src/host/files/compare.ts";
import { openProjectFiles } from "../../src/host/files/project-files.ts";
import { walkTree } from "../../src/host/files/walk.ts";
import { writeZip } from "../../src/transfer/zip-write.ts";
import { type CheckpointNode, type Cluster, startCluster } from "./rig.ts";

vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 120_000 });

/** Under `./repldock test faults` as many as the promise says; all in one folder. */
const manyFiles = process.env.REPLDOCK_FAULTS === "long" ? 1_000_000 : 20_000;
const entriesListed = 5_000;
const megabyte = 1024 * 1024;

let cluster: Cluster;
let one: CheckpointNode;
let two: CheckpointNode;

beforeAll(async () => {
	cluster = await startCluster({ volumeBytes: 8 * 1024 ** 3 });
	one = await cluster.startNode("one");
	two = await cluster.startNode("two", { uid: 400_000, gid: 400_001 });
});
afterAll(() => cluster.release());

/** Does a step and tells what it cost: time, the longest pause of everything else, memory. */
async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
	const delay = monitorEventLoopDelay({ resolution: 10 });
	delay.enable();
	const begunAtMs = performance.now();
	const result = await work();
	delay.disable();
	const [tookMs, pauseMs, rss] = [performance.now() - begunAtMs, delay.max / 1e6, process.memoryUsage.rss() / megabyte];
	console.info(
		`${manyFiles} files, ${name}: ${tookMs.toFixed(0)} ms, pause ${pauseMs.toFixed(0)} ms, ${rss.toFixed(0)} MB`,
	);
	return result;
}

test(`a folder of ${manyFiles} files is stored, restored, listed, compared and exported within bounded memory`, async () => {
	const placement = cluster.place({ limits: { memoryBytes: 1, cpus: 1, pids: 8, diskBytes: 7 * 1024 ** 3 } });
	const { projectId } = placement;
	await one.volumes.create(projectId, cluster.template, placement.limits.diskBytes);
	const root = one.volumes.path(projectId);
	await mkdir(join(root, "many"));
	const make = `for (1 .. ${manyFiles}) { open F, ">", $_; print F $_ }`;
	await step("made", () => runCommand("perl", ["-e", make], { directory: join(root, "many"), timeoutMs: 1_200_000 }));
	const rssBefore = process.memoryUsage.rss();
	await step("checkpoint", () => one.checkpoints.round());
	await writeFile(join(root, "many/7"), "seven");
	await step("checkpoint of one change", () => one.checkpoints.round());
	expect(cluster.chainOf(projectId)).toHaveLength(2);
	expect(one.checkpoints.durability(projectId).problem).toBeNull();

	const files = openProjectFiles(root, { uid: 300_000, gid: 300_001 });
	const listing = await step("listing", () => files.list("many", entriesListed));
	expect(listing.entries).toHaveLength(entriesListed);
	expect(listing.truncated).toBe(true);

	const [, last] = cluster.chainOf(projectId);
	const version = one.snapshots.path(projectId, `${last?.generation}.${last?.sequence}`);
	await writeFile(join(root, "main.py"), "print(2)\n");
	const changes = await step("comparison", () => compareTrees(version, root));
	expect(changes.changes.map(({ path }) => path)).toEqual(["main.py"]);
	// One that is too large to be compared is said to be so, rather than passed over.
	expect(changes.truncated).toBe(manyFiles > 100_000);

	const archive = join(cluster.directory, "many.zip");
	await step("zip", () =>
		pipeline(Readable.from(writeZip(walkTree(root, () => false)), { objectMode: false }), createWriteStream(archive)),
	);
	const count = "import sys, zipfile; print(len(zipfile.ZipFile(sys.argv[1]).namelist()))";
	const inArchive = Number(await runCommand("python3", ["-c", count, archive], { timeoutMs: 600_000 }));
	expect(inArchive).toBeGreaterThanOrEqual(manyFiles);
	await rm(archive);

	await step("restore elsewhere", () =>
		two.checkpoints.restore(cluster.place({ ...placement, generation: 2, stored: true })),
	);
	expect(await readdir(join(two.volumes.path(projectId), "many"))).toHaveLength(manyFiles);
	expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(700 * megabyte);
	await step("removal", () => two.volumes.remove(projectId));
});
