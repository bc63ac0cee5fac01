import { setTimeout as delay } from "node:timers/promises";
import type { AgentProcess } from "./agent-process.ts";
import { expectDurable, expectNoLeaks, expectSameFiles, expectSaved, expectVersionsWhole } from "./checks.ts";
import { createFileWriter, type FileWriter } from "./programs.ts";
import type { Random } from "./rounds.ts";
import type { NodeDisk, StorageWorld } from "./storage-world.ts";
import { createTypist, type Typist } from "./typist.ts";

/** A node: its disk, and the agent that runs on it now. */
export interface RoundNode {
	readonly disk: NodeDisk;
	agent: AgentProcess;
}

/** People and programs at work in one project. */
export interface Work {
	readonly world: StorageWorld;
	readonly node: RoundNode;
	readonly projectId: string;
	readonly volume: string;
	readonly typists: readonly Typist[];
	readonly writer: FileWriter;
	readonly random: Random;
	/** kill -9 of the agent; what must hold in that very moment is checked, and a new one goes on. */
	killAgent(change?: Parameters<NodeDisk["start"]>[0]): Promise<void>;
	/** Waits a random time. */
	pause(mostMs: number): Promise<void>;
}

const versionsRestored = 4;

export async function startNode(world: StorageWorld, name: string): Promise<RoundNode> {
	const disk = await world.disk(name);
	return { disk, agent: await disk.start() };
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
	const typists = [createTypist("notes.txt"), ...(random.chance(0.4) ? [createTypist("main.py")] : [])];
	const writer = createFileWriter(volume);
	const connect = () => Promise.all(typists.map((typist) => typist.connect(node.agent.connection(projectId))));
	await connect();

	async function killAgent(change: Parameters<NodeDisk["start"]>[0] = {}) {
		await node.agent.kill();
		for (const typist of typists) typist.lose();
		await expectSaved(volume, typists);
		await writer.expectKept();
		world.server.recover();
		await expectDurable(world, projectId, typists);
		if (random.chance(0.3)) {
			// The next one dies before it gets far.
			const giveUp = AbortSignal.timeout(random.int(100, 900));
			const next = await node.disk.start(change, giveUp).catch(() => null);
			await next?.kill();
		}
		node.agent = await node.disk.start(change);
		await node.agent.call("ensureVolume", { projectId });
		await connect();
	}

	const stop = new AbortController();
	const working = [...typists.map((typist) => typist.type(random, stop.signal)), writer.write(random, stop.signal)];
	const pause = (mostMs: number) => delay(random.int(0, mostMs));
	try {
		await pause(600);
		await fault({ world, node, projectId, volume, typists, writer, random, killAgent, pause });
		await pause(300);
	} finally {
		stop.abort();
		await Promise.allSettled(working);
	}
	await Promise.all(working);
	world.server.recover();
	await expectDurable(world, projectId, typists);

	for (const typist of typists) await typist.untilSaved();
	await node.agent.call("settle", { projectId });
	await expectSaved(volume, typists);
	await expectDurable(world, projectId, typists);
	await writer.expectKept();
	await expectSameFiles(world, projectId, volume);
	await expectVersionsWhole(world, projectId, versionsRestored);
	await expectNoLeaks(world);

	for (const typist of typists) typist.lose();
	await world.removeProject(projectId);
	await node.agent.call("forget", { projectId });
}
