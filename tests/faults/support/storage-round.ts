import { setTimeout as delay } from "node:timers/promises";
import type { AgentProcess } from "./agent-process.ts";
import {
	expectDurable,
	expectInParts,
	expectNoLeaks,
	expectSameFiles,
	expectSaved,
	expectVersionsWhole,
} from "./checks.ts";
import type { NodeDisk } from "./node-disk.ts";
import type { Random } from "./rounds.ts";
import type { StorageWorld } from "./storage-world.ts";
import { createWorkers, type Workers } from "./workers.ts";

/** A node: its disk, and the agent that runs on it now. */
export interface RoundNode {
	readonly disk: NodeDisk;
	agent: AgentProcess;
}

/** What a fault may do while people and programs are at work in one project. */
export interface Work {
	readonly world: StorageWorld;
	readonly node: RoundNode;
	readonly projectId: string;
	readonly random: Random;
	/**
	 * kill -9 of the agent; what must hold in that very moment is checked, and a new one goes on.
	 * @param meanwhile done while no agent runs.
	 */
	killAgent(change?: Parameters<NodeDisk["start"]>[0], meanwhile?: () => Promise<void>): Promise<void>;
	/** Waits a random time. */
	pause(mostMs: number): Promise<void>;
}

export const versionsRestored = 4;

export async function startNode(world: StorageWorld, name: string): Promise<RoundNode> {
	const disk = await world.disk(name);
	return { disk, agent: await disk.start() };
}

/** kill -9, and another agent on the same disk; at times one that dies before it gets far comes in between. */
export async function replaceAgent(node: RoundNode, random: Random, change: Parameters<NodeDisk["start"]>[0] = {}) {
	await node.agent.kill();
	if (random.chance(0.3)) {
		const giveUp = AbortSignal.timeout(random.int(100, 900));
		const next = await node.disk.start(change, giveUp).catch(() => null);
		await next?.kill();
	}
	node.agent = await node.disk.start(change);
}

/** All that must hold of a project whose node has made everything durable. */
export async function expectPromises(world: StorageWorld, projectId: string, volume: string, workers: Workers) {
	await expectSaved(volume, workers.typists);
	await expectDurable(world, projectId, workers.typists);
	await workers.writer.expectKept();
	if (workers.writer.isLarge && world.storesInParts) expectInParts(world, projectId);
	await expectSameFiles(world, projectId, volume);
	await expectVersionsWhole(world, projectId, versionsRestored);
	await expectNoLeaks(world);
}

/**
 * A project is made, people type, a program writes and checkpoints go on while `fault` does its worst. When it returns,
 * all must heal by itself: then every promise is checked.
 */
export async function storageRound(
	world: StorageWorld,
	node: RoundNode,
	random: Random,
	fault: (work: Work) => Promise<void>,
): Promise<void> {
	const projectId = await world.makeProject(node.agent.nodeId);
	await node.agent.call("ensureVolume", { projectId });
	const volume = node.disk.volumePath(projectId);
	const workers = createWorkers(projectId, volume, random);
	const { typists, writer } = workers;
	await workers.connect(node.agent);

	async function killAgent(change: Parameters<NodeDisk["start"]>[0] = {}, meanwhile = async () => {}) {
		await node.agent.kill();
		workers.lose();
		await expectSaved(volume, typists);
		await writer.expectKept();
		world.server.recover();
		await expectDurable(world, projectId, typists);
		await meanwhile();
		await replaceAgent(node, random, change);
		await node.agent.call("ensureVolume", { projectId });
		await workers.connect(node.agent);
	}

	const pause = (mostMs: number) => delay(random.int(0, mostMs));
	await workers.workDuring(async () => {
		await pause(600);
		await fault({ world, node, projectId, random, killAgent, pause });
		await pause(300);
	});
	world.server.recover();
	await expectDurable(world, projectId, typists);

	await workers.untilSaved();
	await node.agent.call("settle", { projectId });
	await expectPromises(world, projectId, volume, workers);

	workers.lose();
	await world.removeProject(projectId);
	await node.agent.call("forget", { projectId });
}
