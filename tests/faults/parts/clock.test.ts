import { afterAll, beforeAll, test } from "vitest";
import { roundsTimeoutMs, runRounds } from "../support/rounds.ts";
import { type RoundNode, startNode, storageRound } from "../support/storage-round.ts";
import { type StorageWorld, startStorageWorld } from "../support/storage-world.ts";

const day = 24 * 60 * 60 * 1000;

let world: StorageWorld;
let node: RoundNode;

beforeAll(async () => {
	world = await startStorageWorld();
	node = await startNode(world, "one");
});
afterAll(() => world?.release());

test(
	"a clock that jumps",
	() =>
		runRounds("a clock that jumps", { short: 2, long: 30 }, (random) =>
			storageRound(world, node, random, async (work) => {
				for (let times = random.int(1, 4); times > 0; times -= 1) {
					const clockAheadMs = random.pick([0, 400, -400, 60_000, -60_000, 2 * day, -2 * day, 4_000 * day, -4_000 * day]);
					// A clock is also set while no agent runs.
					if (random.chance(0.3)) await work.killAgent({ clockAheadMs });
					else await work.node.agent.call("setClock", { aheadMs: clockAheadMs });
					await work.pause(600);
				}
			}),
		),
	roundsTimeoutMs,
);
