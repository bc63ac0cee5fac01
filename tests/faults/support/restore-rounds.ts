import { stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import {
	describeFiles,
	expectDurable,
	expectKeystrokes,
	expectNoLeaks,
	expectNoRemains,
	expectSameFiles,
	expectVersionsWhole,
	textIn,
} from "./checks.ts";
import type { Random } from "./rounds.ts";
import { expectPromises, type RoundNode, replaceAgent, versionsRestored } from "./storage-round.ts";
import type { StorageWorld } from "./storage-world.ts";
import { failStore } from "./store-faults.ts";
import { createWorkers, type Workers } from "./workers.ts";

const mostMs = 30_000;

/** A project on which people and programs have worked, and are at rest now. */
interface Project {
	readonly projectId: string;
	readonly volume: string;
	readonly workers: Workers;
	work(): Promise<void>;
}

async function startProject(world: StorageWorld, node: RoundNode, random: Random): Promise<Project> {
	const projectId = await world.makeProject(node.agent.nodeId);
	await node.agent.call("ensureVolume", { projectId });
	return workOn(projectId, node, random);
}

async function workOn(projectId: string, node: RoundNode, random: Random): Promise<Project> {
	const volume = node.disk.volumePath(projectId);
	const workers = createWorkers(projectId, volume, random);
	await workers.connect(node.agent);
	async function work() {
		await workers.workDuring(() => delay(random.int(150, 900)));
		await workers.untilSaved();
	}
	await work();
	return { projectId, volume, workers, work };
}

/**
 * Tries until it succeeds, while the store fails and the agent is killed at random moments; at last nothing is in its way.
 * @param look what must hold after each attempt, when the agent was killed before the next one starts too.
 */
async function succeed<T>(
	{ world, node, random }: { world: StorageWorld; node: RoundNode; random: Random },
	attempt: () => Promise<T>,
	on: { look(isRunning: boolean): Promise<void>; replaced?(): Promise<void> },
): Promise<T> {
	for (let troubles = random.int(1, 4); troubles > 0; troubles -= 1) {
		if (random.chance(0.8)) failStore(world, random, ["reading", "reading", "all"]);
		const trying = attempt().then(
			(value) => ({ value }),
			() => null,
		);
		const isKilled = random.chance(0.6);
		if (isKilled) {
			await delay(random.int(0, 500));
			await node.agent.kill();
		}
		const done = await trying;
		world.server.recover();
		if (isKilled) {
			await on.look(false);
			await replaceAgent(node, random);
		}
		await on.look(true);
		if (isKilled) await on.replaced?.();
		if (done) return done.value;
	}
	return inTime(attempt);
}

/** Nothing is in its way but a busy machine: the store of the rounds has less than a second to answer. */
async function inTime<T>(attempt: () => Promise<T>): Promise<T> {
	for (const endAtMs = performance.now() + mostMs; ; ) {
		try {
			return await attempt();
		} catch (error) {
			if (performance.now() > endAtMs) throw error;
		}
	}
}

/** Nothing under the volume's name is half of it. */
async function expectWholeOrNone(volume: string, files: string): Promise<void> {
	if (await stat(volume).catch(() => null)) expect(await describeFiles(volume)).toBe(files);
}

/** The node loses a project's volume, or the project moves to another node, and is opened again. */
export async function volumeRestoreRound(
	world: StorageWorld,
	first: RoundNode,
	second: RoundNode,
	random: Random,
): Promise<void> {
	const { projectId, volume, workers } = await startProject(world, first, random);
	await first.agent.call("settle", { projectId });
	const files = await describeFiles(volume);
	workers.lose();

	const loss = random.pick(["volume", "snapshots", "everything", "moved"] as const);
	const node = loss === "moved" ? second : first;
	if (loss === "moved") await world.move(projectId, second.agent.nodeId);
	else {
		await first.agent.kill();
		await first.disk.lose(projectId, loss);
		first.agent = await first.disk.start();
	}
	const restored = node.disk.volumePath(projectId);
	await succeed({ world, node, random }, () => node.agent.call("ensureVolume", { projectId }), {
		look: () => expectWholeOrNone(restored, files),
	});
	expect(await describeFiles(restored)).toBe(files);

	const later = await workOn(projectId, node, random);
	await node.agent.call("settle", { projectId });
	for (const typist of workers.typists) {
		expectKeystrokes(await textIn(restored, typist), typist.all(), `${typist.path}: typed before, but not restored`);
	}
	await expectDurable(world, projectId, workers.typists);
	await expectPromises(world, projectId, restored, later.workers);
	await expectNoRemains(node.disk.mountPoint, projectId);

	later.workers.lose();
	await world.removeProject(projectId);
	for (const { agent } of new Set([first, node])) await agent.call("forget", { projectId });
}

/** A whole project goes back to a version, and from there back again. */
export async function versionRestoreRound(world: StorageWorld, node: RoundNode, random: Random): Promise<void> {
	const { projectId, volume, workers, work } = await startProject(world, node, random);
	const versionId = await node.agent.call("save", { projectId, name: "wanted" });
	const wanted = await describeFiles(volume);
	await work();
	if (random.chance(0.5)) await node.agent.call("settle", { projectId });
	const present = await describeFiles(volume);
	let before = "";

	const undo = await succeed(
		{ world, node, random },
		async () => {
			before = await describeFiles(volume);
			return node.agent.call("restoreVersion", { projectId, versionId });
		},
		{
			// An agent that dies may leave it half-way; the next one carries it on, or takes it back.
			async look(isRunning) {
				if (isRunning) expect([wanted, present]).toContain(await describeFiles(volume));
			},
			async replaced() {
				workers.lose();
				await node.agent.call("ensureVolume", { projectId });
				await workers.connect(node.agent);
			},
		},
	);
	expect(await describeFiles(volume)).toBe(wanted);
	await inTime(() => node.agent.call("restoreVersion", { projectId, versionId: undo }));
	expect(await describeFiles(volume)).toBe(before);

	workers.lose();
	const later = await workOn(projectId, node, random);
	await node.agent.call("settle", { projectId });
	await expectPromises(world, projectId, volume, later.workers);
	await expectNoRemains(node.disk.mountPoint, projectId);

	later.workers.lose();
	await world.removeProject(projectId);
	await node.agent.call("forget", { projectId });
}

/** A version is forked while the store may fail, and the fork is opened on another node. */
export async function forkRound(
	world: StorageWorld,
	first: RoundNode,
	second: RoundNode,
	random: Random,
): Promise<void> {
	const { projectId, volume, workers, work } = await startProject(world, first, random);
	const versionId = await first.agent.call("save", { projectId, name: "forked" });
	const files = await describeFiles(volume);
	await first.agent.call("settle", { projectId });
	if (random.chance(0.5)) await work();

	if (random.chance(0.5)) failStore(world, random, ["writing", "all"]);
	const forkId = await world.fork(projectId, versionId);
	if (random.chance(0.3)) {
		await first.agent.kill();
		workers.lose();
		first.agent = await first.disk.start();
		await workers.connect(first.agent);
	}
	await world.move(forkId, second.agent.nodeId);
	const forked = second.disk.volumePath(forkId);
	await succeed({ world, node: second, random }, () => second.agent.call("ensureVolume", { projectId: forkId }), {
		look: () => expectWholeOrNone(forked, files),
	});
	expect(await describeFiles(forked)).toBe(files);

	const later = await workOn(forkId, second, random);
	await second.agent.call("settle", { projectId: forkId });
	await first.agent.call("settle", { projectId });
	await expectSameFiles(world, projectId, volume);
	await expectVersionsWhole(world, projectId, versionsRestored);
	await expectPromises(world, forkId, forked, later.workers);
	await expectNoRemains(second.disk.mountPoint, forkId);

	// What the fork needs of it outlives the origin.
	workers.lose();
	await world.removeProject(projectId);
	await first.agent.call("forget", { projectId });
	await expectSameFiles(world, forkId, forked);
	await expectVersionsWhole(world, forkId, versionsRestored);
	await expectNoLeaks(world);

	later.workers.lose();
	await world.removeProject(forkId);
	await second.agent.call("forget", { projectId: forkId });
}
