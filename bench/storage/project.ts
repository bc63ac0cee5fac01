import { appendFile, mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { DesiredPlacement } from "@repldock/protocol";
import { compared, type Figure, median } from "../support/report.ts";
import { openRestic, packWithTar, unpackWithTar } from "./baselines.ts";
import { makeTemplate, openLab, type StorageLab, type StorageNode } from "./lab.ts";
import { bounded, timed } from "./timing.ts";
import { makeTree, treeShape } from "./tree.ts";

const most = { firstRatio: 2, bytesRatio: 1.1, restoreRatio: 1.5, editMs: 100, editBytes: 32_000 };
const editedFiles = [0, 333, 777, 1234, 1999].map((at) => `src/part${Math.floor(at / 25)}/file${at}.js`);

/** One project of 17,000 files against `tar | zstd -3` and restic: stored for the first time, after an edit, restored. */
export async function measureProject(runs: number, edits: number): Promise<Figure[]> {
	const lab = await openLab();
	try {
		const node = await lab.startNode();
		const placement = lab.place();
		const { projectId, limits } = placement;
		await node.volumes.create(projectId, await makeTemplate(lab), limits.diskBytes);
		const volume = node.volumes.path(projectId);
		await makeTree(volume);
		return [
			...(await measureFirst(lab, node, projectId, runs)),
			// Before the edits: the archives hold no chain either.
			...(await measureRestore(lab, placement, volume, runs)),
			...(await measureEdits(lab, node, projectId, edits)),
		];
	} finally {
		await lab.cleanup.run();
	}
}

async function measureFirst(lab: StorageLab, node: StorageNode, projectId: string, runs: number): Promise<Figure[]> {
	const archive = join(lab.directory, "first.tar.zst");
	const volume = node.volumes.path(projectId);
	const took = { ours: [] as number[], tar: [] as number[], tarOfMoment: [] as number[], restic: [] as number[] };
	const bytes = { ours: [] as number[], tar: [] as number[], restic: [] as number[] };
	/** Of a tree that programs go on changing an archive is of no one moment; a checkpoint is, and so is this. */
	async function packOneMoment() {
		const frozen = await node.volumes.snapshot(projectId);
		await packWithTar(frozen.path, archive);
		await frozen.release();
	}
	for (let run = 0; run <= runs; run += 1) {
		await node.checkpoints.forget(projectId);
		const before = lab.store.counts.bytesPut;
		const oursMs = await timed(() => node.checkpoints.round());
		const oursBytes = lab.store.counts.bytesPut - before;
		const tarMs = await timed(() => packWithTar(volume, archive));
		const archiveBytes = (await stat(archive)).size;
		const tarOfMomentMs = await timed(packOneMoment);
		const repository = join(lab.directory, "restic");
		const restic = await openRestic(repository);
		const resticMs = await timed(() => restic.backUp(volume));
		const resticBytes = (await restic.size()).bytes;
		await rm(repository, { recursive: true });
		// The first run fills caches.
		if (run === 0) continue;
		took.ours.push(oursMs);
		took.tar.push(tarMs);
		took.tarOfMoment.push(tarOfMomentMs);
		took.restic.push(resticMs);
		bytes.ours.push(oursBytes);
		bytes.tar.push(archiveBytes);
		bytes.restic.push(resticBytes);
	}
	const megabytes = (values: readonly number[]) => values.map((value) => value / 1e6);
	const what = `${treeShape.sourceFiles + treeShape.dependencyFiles} files, ${treeShape.bytes / 1e6} MB`;
	return [
		compared(`First checkpoint of ${what} (tar | zstd -3)`, took.ours, took.tar, "ms", most.firstRatio),
		compared("Its bytes (tar | zstd -3)", megabytes(bytes.ours), megabytes(bytes.tar), "MB", most.bytesRatio),
		bounded("The same by tar | zstd -3 of a snapshot, of one moment as a checkpoint is", took.tarOfMoment, "ms"),
		bounded("The same by restic", took.restic, "ms"),
		bounded("Its bytes by restic", megabytes(bytes.restic), "MB"),
	];
}

async function measureEdits(lab: StorageLab, node: StorageNode, projectId: string, edits: number): Promise<Figure[]> {
	const volume = node.volumes.path(projectId);
	const restic = await openRestic(join(lab.directory, "restic-edits"));
	await restic.backUp(volume);
	const took = { ours: [] as number[], restic: [] as number[] };
	const bytes = { ours: [] as number[], restic: [] as number[] };
	const objects = { ours: [] as number[], restic: [] as number[] };
	const { counts } = lab.store;
	for (let edit = 0; edit < edits; edit += 1) {
		for (const file of editedFiles) await appendFile(join(volume, file), `// edit ${edit}\n`);
		const before = { ...counts };
		took.ours.push(await timed(() => node.checkpoints.round()));
		bytes.ours.push(counts.bytesPut - before.bytesPut);
		objects.ours.push(counts.puts - before.puts);
		const resticBefore = await restic.size();
		took.restic.push(await timed(() => restic.backUp(volume)));
		const resticAfter = await restic.size();
		bytes.restic.push(resticAfter.bytes - resticBefore.bytes);
		objects.restic.push(resticAfter.objects - resticBefore.objects);
	}
	const kilobytes = (values: readonly number[]) => values.map((value) => value / 1e3);
	const beside = (figure: Figure, baseline: readonly number[]): Figure => ({
		...figure,
		baseline: median(baseline),
		ratio: figure.value / median(baseline),
	});
	return [
		beside(bounded("An edit of 5 files durable after the tick (restic)", took.ours, "ms", most.editMs), took.restic),
		beside(bounded("Its bytes (restic)", kilobytes(bytes.ours), "kB", most.editBytes / 1e3), kilobytes(bytes.restic)),
		beside(bounded("Its objects (restic)", objects.ours, "objects", 1), objects.restic),
	];
}

/** Each time onto a new file system: what another one clears away in the background disturbs nothing. */
async function measureRestore(
	lab: StorageLab,
	placement: DesiredPlacement,
	volume: string,
	runs: number,
): Promise<Figure[]> {
	const archive = join(lab.directory, "first.tar.zst");
	const repository = join(lab.directory, "restic-restore");
	const restic = await openRestic(repository);
	await restic.backUp(volume);
	const took = { ours: [] as number[], tar: [] as number[], restic: [] as number[] };
	for (let run = 0; run <= runs; run += 1) {
		const oursMs = await onNewNode(lab, (node) => node.checkpoints.restore(placement));
		const tarMs = await onNewNode(lab, async ({ mountPoint }) => {
			const target = join(mountPoint, "untar");
			await mkdir(target);
			await unpackWithTar(archive, target, mountPoint);
		});
		const resticMs = await onNewNode(lab, ({ mountPoint }) => restic.restore(volume, join(mountPoint, "restic")));
		if (run === 0) continue;
		took.ours.push(oursMs);
		took.tar.push(tarMs);
		took.restic.push(resticMs);
	}
	return [
		compared("Its restore (zstd -d | tar -x)", took.ours, took.tar, "ms", most.restoreRatio),
		bounded("The same by restic", took.restic, "ms"),
	];
}

async function onNewNode(lab: StorageLab, work: (node: StorageNode) => Promise<unknown>): Promise<number> {
	const node = await lab.startNode();
	const tookMs = await timed(() => work(node));
	await node.release();
	return tookMs;
}
