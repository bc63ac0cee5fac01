import { afterAll, beforeAll, test } from "vitest";
import { roundsTimeoutMs, runRounds } from "../support/rounds.ts";
import { type RoundNode, startNode, storageRound } from "../support/storage-round.ts";
import { type StorageWorld, startStorageWorld } from "../support/storage-world.ts";

let world: StorageWorld;
let node: RoundNode;

beforeAll(async () => {
	world = await startStorageWorld();
	node = await startNode(world, "one");
});
afterAll(() => world?.release());

test(
	"kill -9 of the agent",
	() =>
		runRounds("kill -9 of the agent", { short: 3, long: 70 }, (random) =>
			storageRound(world, node, random, async (work) => {
				for (let times = random.int(1, 3); times > 0; times -= 1) {
					await work.pause(700);
					await work.killAgent();
				}
			}),
		),
	roundsTimeoutMs,
);
