import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import {
	expectKeystrokes,
	expectNoLeaks,
	expectSameFiles,
	expectVersionsWhole,
	textIn,
	withRestored,
} from "./checks.ts";
import type { Random } from "./rounds.ts";
import type { RoundNode } from "./storage-round.ts";
import type { StorageWorld } from "./storage-world.ts";
import { createTypist } from "./typist.ts";

/** The site gives a project to another node while the first one works on and believes that it is still its own. */
export async function twoOwnersRound(
	world: StorageWorld,
	first: RoundNode,
	second: RoundNode,
	random: Random,
): Promise<void> {
	const projectId = await world.makeProject(first.agent.nodeId);
	const stop = new AbortController();
	const before = createTypist("notes.txt");
	const after = createTypist("notes.txt");
	const working: Promise<void>[] = [];
	try {
		await first.agent.call("ensureVolume", { projectId });
		await before.connect(first.agent.connection(projectId));
		working.push(before.type(random, stop.signal));
		await first.agent.call("save", { projectId, name: "handed over" });
		await delay(random.int(0, 500));
		await first.agent.call("stopListening", {});
		await world.move(projectId, second.agent.nodeId);
		expect(await second.agent.call("ensureVolume", { projectId })).toBe(true);
		await after.connect(second.agent.connection(projectId));
		working.push(after.type(random, stop.signal));
		await delay(random.int(100, 1200));
		if (random.chance(0.5)) {
			// It has forgotten that it does not listen, and now knows the project by its own state alone.
			await first.agent.kill();
			before.lose();
			first.agent = await first.disk.start();
			await before.connect(first.agent.connection(projectId));
			await delay(random.int(0, 400));
		}
	} finally {
		stop.abort();
		await Promise.all(working);
	}
	await Promise.all([before.untilSaved(), after.untilSaved()]);
	await Promise.all([first, second].map(({ agent }) => agent.call("settle", { projectId })));

	const versions = await world.versions(projectId);
	const newestOf = (generation: number) => versions.find((version) => version.generation === generation);
	const [newest] = versions;
	expect(newest).toMatchObject({ generation: 2, recovered: false });
	await expectSameFiles(world, projectId, second.disk.volumePath(projectId));
	// What the first one had beyond what it handed over is kept for the owner.
	expect(newestOf(1)).toMatchObject({ recovered: true });
	for (const [generation, typist, node] of [
		[1, before, first],
		[2, after, second],
	] as const) {
		const inFile = await textIn(node.disk.volumePath(projectId), typist);
		expectKeystrokes(inFile, typist.all(), `generation ${generation}: typed, but not in the file`);
		const text = await withRestored(world, await world.chain(projectId, newestOf(generation)), (path) =>
			textIn(path, typist),
		);
		expectKeystrokes(text, typist.all(), `generation ${generation}: typed, but in no version`);
	}
	await expectVersionsWhole(world, projectId, 6);
	await expectNoLeaks(world);

	for (const typist of [before, after]) typist.lose();
	// It listens again, and the project is its own once more: what it still has of it gives way.
	await first.agent.kill();
	first.agent = await first.disk.start();
	await world.move(projectId, first.agent.nodeId);
	await first.agent.call("ensureVolume", { projectId });
	const given = await textIn(first.disk.volumePath(projectId), after);
	expectKeystrokes(given, after.all(), "typed on the second node, but not in what the first has now");
	await expectSameFiles(world, projectId, first.disk.volumePath(projectId));
	await expectNoLeaks(world);

	await world.removeProject(projectId);
	for (const node of [first, second]) await node.agent.call("forget", { projectId });
}
