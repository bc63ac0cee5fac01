import { dirname } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { fillDisk } from "../support/full-disk.ts";
import { type Random, roundsTimeoutMs, runRounds } from "../support/rounds.ts";
import { type RoundNode, startNode, storageRound, type Work } from "../support/storage-round.ts";
import { type StorageWorld, startStorageWorld } from "../support/storage-world.ts";

const megabyte = 1024 * 1024;

let world: StorageWorld;
let node: RoundNode;

beforeAll(async () => {
	world = await startStorageWorld({
		diskBytes: 900 * megabyte,
		volumesBytes: 300 * megabyte,
		mostVolumesBytes: 450 * megabyte,
	});
	node = await startNode(world, "one");
});
afterAll(() => world?.release());

/** Below the agent's state, the objects and the file of the volumes; inside of that file; or both. */
const full: readonly [Place[], ...Place[][]] = [["machine"], ["volumes"], ["machine", "volumes"]];
type Place = "machine" | "volumes";

async function fillFor({ random, pause, killAgent, node: { disk } }: Work) {
	const places = { machine: dirname(disk.directory), volumes: disk.mountPoint };
	const leftBytes = random.pick([0, 0, random.int(0, 400_000)]);
	const frees: (() => Promise<void>)[] = [];
	for (const place of random.pick(full)) frees.push(await fillDisk(places[place], leftBytes));
	const makeRoom = async () => {
		for (const free of frees.splice(0)) await free();
	};
	try {
		await pause(1_200);
		// Somebody makes room before there is an agent again, or after.
		if (random.chance(0.4)) await killAgent({}, random.chance(0.5) ? makeRoom : undefined);
		await pause(400);
	} finally {
		await makeRoom();
	}
	await pause(600);
}

async function round(random: Random) {
	await storageRound(world, node, random, async (work) => {
		for (let times = random.int(1, 3); times > 0; times -= 1) await fillFor(work);
	});
}

test(
	"a full disk: nothing that was promised is lost, nothing half-written is seen, and all goes on by itself when there is room",
	() => runRounds("a full disk", { short: 2, long: 30 }, round),
	roundsTimeoutMs,
);
