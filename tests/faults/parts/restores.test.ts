import { afterAll, beforeAll, test } from "vitest";
import { forkRound, versionRestoreRound, volumeRestoreRound } from "../support/restore-rounds.ts";
import { type Random, roundsTimeoutMs, runRounds } from "../support/rounds.ts";
import { type RoundNode, startNode } from "../support/storage-round.ts";
import { type StorageWorld, startStorageWorld } from "../support/storage-world.ts";

let world: StorageWorld;
let one: RoundNode;
let two: RoundNode;

beforeAll(async () => {
	world = await startStorageWorld();
	one = await startNode(world, "one");
	two = await startNode(world, "two");
});
afterAll(() => world?.release());

function restores(kind: string, counts: { short: number; long: number }, round: (random: Random) => Promise<void>) {
	test(
		`${kind} while the store fails and the agent is killed: whole or not at all, and in the end the same files`,
		() => runRounds(kind, counts, round),
		roundsTimeoutMs,
	);
}

restores("a restore of a lost volume", { short: 3, long: 40 }, (random) => volumeRestoreRound(world, one, two, random));

restores("a restore of a version", { short: 2, long: 30 }, (random) => versionRestoreRound(world, one, random));

restores("a fork elsewhere", { short: 2, long: 30 }, (random) => forkRound(world, one, two, random));
