import { afterAll, beforeAll, test } from "vitest";
import { type Random, roundsTimeoutMs, runRounds } from "../support/rounds.ts";
import { type RoundNode, startNode, storageRound, type Work } from "../support/storage-round.ts";
import { type StorageWorld, startStorageWorld } from "../support/storage-world.ts";
import { failStore } from "../support/store-faults.ts";
import { twoOwnersRound } from "../support/two-owners.ts";

const day = 24 * 60 * 60 * 1000;

let world: StorageWorld;
let node: RoundNode;

beforeAll(async () => {
	world = await startStorageWorld();
	node = await startNode(world, "one");
});
afterAll(() => world?.release());

/** Promises hold for the documents that people type into and the files that programs write, whatever happens. */
function faults(kind: string, counts: { short: number; long: number }, fault: (work: Work) => Promise<void>) {
	const rounds = () => runRounds(kind, counts, (random) => storageRound(world, node, random, fault));
	test(
		`${kind}: nothing that was promised is lost, nothing half-written is seen, nothing leaks`,
		rounds,
		roundsTimeoutMs,
	);
}

async function repeatedly(random: Random, most: number, act: () => Promise<void>) {
	for (let times = random.int(1, most); times > 0; times -= 1) await act();
}

faults("kill -9 of the agent", { short: 2, long: 60 }, ({ random, pause, killAgent }) =>
	repeatedly(random, 3, async () => {
		await pause(700);
		await killAgent();
	}),
);

faults("an object store that fails", { short: 3, long: 70 }, ({ random, pause, killAgent }) =>
	repeatedly(random, 4, async () => {
		// Reading alone fails nobody here: `restores.test.ts` does it.
		failStore(world, random, ["writing", "all"]);
		await pause(900);
		if (random.chance(0.3)) await killAgent();
		world.server.recover();
		await pause(400);
	}),
);

faults("kill -9 of PostgreSQL, or a restart of the site", { short: 1, long: 30 }, ({ random, pause, killAgent }) =>
	repeatedly(random, 2, async () => {
		const crash = random.chance(0.7) ? world.site.cluster.crash() : world.restartSite();
		// An agent starts while there is no site.
		if (random.chance(0.3)) await killAgent();
		await crash;
		await pause(500);
	}),
);

faults("a clock that jumps", { short: 2, long: 30 }, ({ random, pause, killAgent, node: at, projectId }) =>
	repeatedly(random, 4, async () => {
		const clockAheadMs = random.pick([0, 400, -400, 60_000, -60_000, 2 * day, -2 * day, 4_000 * day, -4_000 * day]);
		// A clock is also set while no agent runs.
		if (random.chance(0.3)) await killAgent({ clockAheadMs });
		else await at.agent.call("setClock", { aheadMs: clockAheadMs }).catch(() => undefined);
		await pause(600);
		// Of two steps during one upload nobody could tell what a time means.
		await at.agent.call("save", { projectId, name: "between" });
	}),
);

test(
	"two agents that both believe they own a project: neither overwrites the other, and what either promised is there",
	async () => {
		const other = await startNode(world, "two");
		await runRounds("two agents that both believe", { short: 1, long: 25 }, (random) =>
			twoOwnersRound(world, node, other, random),
		);
		await other.agent.kill();
	},
	roundsTimeoutMs,
);
