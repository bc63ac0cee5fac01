import { afterAll, beforeAll, test } from "vitest";
import type { Fault } from "../../support/object-server.ts";
import { type Random, roundsTimeoutMs, runRounds } from "../support/rounds.ts";
import { type RoundNode, startNode, storageRound } from "../support/storage-round.ts";
import { type StorageWorld, startStorageWorld } from "../support/storage-world.ts";

const faults: readonly [Fault, ...Fault[]] = [
	{ status: 403, code: "AccessDenied" },
	{ status: 404, code: "NoSuchBucket" },
	{ status: 500, code: "InternalError" },
	{ status: 503, code: "SlowDown" },
	"hang",
	"stall",
	"trickle",
	"cut",
	"shorten",
	"corrupt",
	"keep_other_bytes",
	"lie",
	"lose_answer",
];

let world: StorageWorld;
let node: RoundNode;

beforeAll(async () => {
	world = await startStorageWorld();
	node = await startNode(world, "one");
});
afterAll(() => world?.release());

/** Some of the requests, or all of them, from now on. */
function failStore(random: Random) {
	const methods = random.pick([["PUT", "POST"], ["GET", "HEAD"], ["PUT", "POST", "GET", "HEAD", "DELETE"]]);
	const share = random.pick([1, 1, 0.5]);
	world.server.fail(random.pick(faults), {
		when: ({ method }) => methods.includes(method) && random.chance(share),
	});
}

test(
	"an object store that fails",
	() =>
		runRounds("an object store that fails", { short: 3, long: 80 }, (random) =>
			storageRound(world, node, random, async (work) => {
				for (let times = random.int(1, 4); times > 0; times -= 1) {
					failStore(random);
					await work.pause(900);
					if (random.chance(0.3)) await work.killAgent();
					world.server.recover();
					await work.pause(400);
				}
			}),
		),
	roundsTimeoutMs,
);
