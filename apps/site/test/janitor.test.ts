import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { checkpoint, report } from "./support/checkpoints.ts";
import type { Client } from "./support/client.ts";
import { eventually } from "./support/eventually.ts";
import { dialIn, type FakeNode } from "./support/fake-node.ts";
import { createWorld, type World } from "./support/site.ts";

// Passwords are hashed slowly on purpose, and test files share few cores.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: World;
let owner: Client;
let node: FakeNode;

beforeAll(async () => {
	world = await createWorld({ REPLDOCK_JANITOR_INTERVAL: "50ms", REPLDOCK_TRAFFIC_DAYS_FOR: "365d" });
	const instance = await world.startInstance();
	owner = await instance.signedUp("Owner");
	node = await dialIn(world, instance);
});
afterAll(() => world?.stop());
beforeEach(() => world.query("UPDATE janitor_looks SET seen = interval '1 day'"));

/** Where the janitor stands; `seen` in seconds. */
async function looks(): Promise<{ lookedAt: Date; seen: number }> {
	const [row] = await world.query("SELECT looked_at, extract(epoch FROM seen)::float AS seen FROM janitor_looks");
	return { lookedAt: row?.looked_at as Date, seen: row?.seen as number };
}

/** Waits until the janitor has begun and ended: it looks once before each thing that it does, and once when it is held. */
async function goesRound(): Promise<void> {
	for (let seen = 0; seen < 12; seen += 1) {
		const { lookedAt } = await looks();
		await eventually(async () => expect((await looks()).lookedAt).not.toEqual(lookedAt));
	}
}

/** A project in the trash and one with an unnamed version, a line of the ledger and an alert, all of this moment. */
async function makeThings(): Promise<{ left(): Promise<Record<string, number>> }> {
	const create = async (name: string) => (await owner.post("/api/v1/projects", { template: "python", name })).body.id;
	const [trashed, living] = [await create("Trashed"), await create("Living")];
	await owner.delete(`/api/v1/projects/${trashed}`);
	await report(node, checkpoint(living, 1), checkpoint(living, 2));
	await world.query(
		`INSERT INTO traffic_days (project_id, day, sent_bytes, sent_packets, dropped_packets, received_bytes, received_packets,
			refused_packets) VALUES ($1, current_date, 1, 1, 0, 1, 1, 0)`,
		[living],
	);
	await world.query(
		"INSERT INTO network_alerts (id, node_id, project_id, kind, detail, noticed_at) VALUES ($1, $2, $3, 'port-scan', '', now())",
		[randomUUID(), node.welcome.nodeId, living],
	);
	const counts = `SELECT
		(SELECT count(*)::int FROM projects JOIN placements ON project_id = id WHERE id = $1 AND want <> 'purged') AS trashed,
		(SELECT count(*)::int FROM checkpoints WHERE project_id = $2) AS versions,
		(SELECT count(*)::int FROM traffic_days WHERE project_id = $2) AS days,
		(SELECT count(*)::int FROM network_alerts WHERE project_id = $2) AS alerts`;
	return { left: async () => ((await world.query(counts, [trashed, living]))[0] ?? {}) as Record<string, number> };
}

const all = { trashed: 1, versions: 2, days: 1, alerts: 1 };
const due = { trashed: 0, versions: 1, days: 0, alerts: 0 };

/** What the database looks like to a clock that is set by so many days, all of it at once, while nobody tidies. */
async function setClock(days: number): Promise<void> {
	const earlier = `- interval '${days} days'`;
	await world.query(`
		SELECT pg_advisory_xact_lock(7210002);
		UPDATE janitor_looks SET looked_at = looked_at ${earlier};
		UPDATE projects SET deleted_at = deleted_at ${earlier};
		UPDATE checkpoints SET taken_at = taken_at ${earlier}, recorded_at = recorded_at ${earlier};
		UPDATE traffic_days SET day = day ${earlier};
		UPDATE network_alerts SET noticed_at = noticed_at ${earlier}`);
}

const beenLookedFor = (interval: string) => world.query(`UPDATE janitor_looks SET seen = interval '${interval}'`);

test("a clock that jumps ahead by a year removes nothing; when it is back, all is as it was", async () => {
	const { left } = await makeThings();
	await setClock(400);
	await goesRound();
	expect(await left()).toEqual(all);
	await setClock(-400);
	await goesRound();
	await beenLookedFor("1 day");
	await goesRound();
	expect(await left()).toEqual(all);
});

test("after a time off what is old stays for a day of looks, and then it goes", async () => {
	const { left } = await makeThings();
	await setClock(400);
	await goesRound();
	await beenLookedFor("23 hours 59 minutes");
	await goesRound();
	expect(await left()).toEqual(all);
	await beenLookedFor("23:59:59.5");
	await eventually(async () => expect(await left()).toEqual(due));
});

test("a clock that jumps back holds nothing up for longer than a day of looks", async () => {
	const { left } = await makeThings();
	await world.query("UPDATE janitor_looks SET looked_at = looked_at + interval '400 days'");
	await eventually(async () => expect((await looks()).seen).toBeLessThan(3600));
	expect(Date.now() - (await looks()).lookedAt.getTime()).toBeLessThan(60_000);
	await setClock(400);
	await beenLookedFor("0");
	await goesRound();
	expect(await left()).toEqual(all);
	await beenLookedFor("23:59:59.5");
	await eventually(async () => expect(await left()).toEqual(due));
});

test("an instance that is off at night, and a clock that is corrected by minutes, hold nothing up", async () => {
	await beenLookedFor("1 hour");
	await world.query("UPDATE janitor_looks SET looked_at = looked_at - interval '16 hours'");
	await eventually(async () => expect((await looks()).seen).toBeGreaterThanOrEqual(17 * 3600));
	await world.query("UPDATE janitor_looks SET looked_at = looked_at + interval '10 minutes'");
	await goesRound();
	const { seen } = await looks();
	expect(seen).toBeGreaterThanOrEqual(17 * 3600);
	expect(seen).toBeLessThan(18 * 3600);
});
