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
	"kill -9 of PostgreSQL, and restarts of the site",
	() =>
		runRounds("kill -9 of PostgreSQL, and restarts of the site", { short: 2, long: 30 }, (random) =>
			storageRound(world, node, random, async (work) => {
				for (let times = random.int(1, 2); times > 0; times -= 1) {
					const crash = random.chance(0.7) ? world.site.cluster.crash() : world.restartSite();
					if (random.chance(0.3)) await work.killAgent();
					await crash;
					await work.pause(500);
				}
			}),
		),
	roundsTimeoutMs,
);
