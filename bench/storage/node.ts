import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import type { Figure } from "../support/report.ts";
import { makeTemplate, openLab, type StorageLab, type StorageNode } from "./lab.ts";
import { bounded, processorMs, timed } from "./timing.ts";
import { makeTree } from "./tree.ts";

const projects = 200;
const most = { tickMs: 2_000, puts: 5, createMs: 15, forkMs: 20 };
const forks = 10;

/** A node with 200 projects that all change in one tick; how long a new volume takes, and one that is a fork. */
export async function measureNode(ticks: number): Promise<Figure[]> {
	const lab = await openLab();
	try {
		const node = await lab.startNode();
		const template = await makeTemplate(lab);
		const created: number[] = [];
		const ids: string[] = [];
		for (let at = 0; at < projects; at += 1) {
			const { projectId, limits } = lab.place();
			created.push(await timed(() => node.volumes.create(projectId, template, limits.diskBytes)));
			ids.push(projectId);
		}
		return [
			bounded("Creating a project's volume", created, "ms", most.createMs),
			...(await measureTicks(lab, node, ids, ticks)),
			await measureForks(lab, node, ids[0] as string),
		];
	} finally {
		await lab.cleanup.run();
	}
}

async function measureTicks(lab: StorageLab, node: StorageNode, ids: readonly string[], ticks: number) {
	await node.checkpoints.round();
	const took: number[] = [];
	const worked: number[] = [];
	const puts: number[] = [];
	for (let tick = 0; tick < ticks; tick += 1) {
		for (const id of ids) await appendFile(join(node.volumes.path(id), "main.py"), `print(${tick})\n`);
		const before = lab.store.counts.puts;
		const workBefore = processorMs();
		took.push(await timed(() => node.checkpoints.round()));
		worked.push(processorMs() - workBefore);
		puts.push(lab.store.counts.puts - before);
	}
	return [
		bounded(`One tick with ${projects} projects that changed`, took, "ms", most.tickMs),
		bounded("Its processor time, both processors together", worked, "ms"),
		bounded("Its PUTs", puts, "PUTs", most.puts),
	];
}

/** Of a project with many files, which a copy would take seconds for. */
async function measureForks(lab: StorageLab, node: StorageNode, origin: string): Promise<Figure> {
	await makeTree(node.volumes.path(origin));
	const took: number[] = [];
	for (let fork = 0; fork < forks; fork += 1) {
		const { projectId, limits } = lab.place();
		const frozen = await node.volumes.snapshot(origin);
		took.push(await timed(() => node.volumes.createFrom(projectId, frozen.path, limits.diskBytes)));
		await frozen.release();
	}
	return bounded("The volume of a fork of 17,000 files, from a snapshot", took, "ms", most.forkMs);
}
