import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { checkpoint, report } from "./support/checkpoints.ts";
import type { Client } from "./support/client.ts";
import { eventually } from "./support/eventually.ts";
import { dialIn, type FakeNode } from "./support/fake-node.ts";
import { createWorld, type Instance, type World } from "./support/site.ts";

// Passwords are hashed slowly on purpose, and test files share few cores.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: World;
let waiting: Instance;
let owner: Client;
let node: FakeNode;

beforeAll(async () => {
	world = await createWorld();
	// Its janitor does not come by again: those of the tests do.
	waiting = await world.startInstance({ REPLDOCK_JANITOR_INTERVAL: "1h" });
	owner = await waiting.signedUp("Owner");
	node = await dialIn(world, waiting);
});
afterAll(() => world?.stop());

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Another moment of the same clock hour, half a minute away. */
function inTheSameHour(atMs: number): number {
	return atMs % hourMs >= minuteMs ? atMs - minuteMs / 2 : atMs + minuteMs / 2;
}

/** The same day's hour before, or the one after at a day's beginning. */
function inTheSameDay(atMs: number): number {
	return atMs % dayMs >= hourMs ? atMs - hourMs : atMs + hourMs;
}

const inTheDayBefore = (atMs: number) => atMs - dayMs;

interface Pair {
	ageMs: number;
	other: (atMs: number) => number;
	/** How many of the two stay: with the default times, and with 75 minutes, 4 hours and 10 days. */
	left: { defaults: number; shorter: number };
}

/** Two versions each, the first of which is this old. */
const pairs: Record<string, Pair> = {
	"10 minutes, one hour": { ageMs: 10 * minuteMs, other: inTheSameHour, left: { defaults: 2, shorter: 2 } },
	"50 minutes, one hour": { ageMs: 50 * minuteMs, other: inTheSameHour, left: { defaults: 2, shorter: 2 } },
	"70 minutes, one hour": { ageMs: 70 * minuteMs, other: inTheSameHour, left: { defaults: 1, shorter: 2 } },
	"80 minutes, one hour": { ageMs: 80 * minuteMs, other: inTheSameHour, left: { defaults: 1, shorter: 1 } },
	"5 hours, one hour": { ageMs: 5 * hourMs, other: inTheSameHour, left: { defaults: 1, shorter: 1 } },
	"22 hours, two hours": { ageMs: 22 * hourMs, other: inTheSameDay, left: { defaults: 2, shorter: 1 } },
	"26 hours, one hour": { ageMs: 26 * hourMs, other: inTheSameHour, left: { defaults: 1, shorter: 1 } },
	"26 hours, one day": { ageMs: 26 * hourMs, other: inTheSameDay, left: { defaults: 1, shorter: 1 } },
	"3 days, one day": { ageMs: 3 * dayMs, other: inTheSameDay, left: { defaults: 1, shorter: 1 } },
	"3 days, two days": { ageMs: 3 * dayMs, other: inTheDayBefore, left: { defaults: 2, shorter: 2 } },
	"28 days, two days": { ageMs: 28 * dayMs, other: inTheDayBefore, left: { defaults: 2, shorter: 0 } },
	"31 days, two days": { ageMs: 31 * dayMs, other: inTheDayBefore, left: { defaults: 0, shorter: 0 } },
};

/**
 * A project for each pair, with a present state that is no other version's successor in its hour or day, and nothing of it
 * reported lately.
 * @returns their names by id.
 */
async function makeProjects(): Promise<Map<string, string>> {
	const names = new Map<string, string>();
	for (const [name, { ageMs, other }] of Object.entries(pairs)) {
		const { id } = (await owner.post("/api/v1/projects", { template: "python", name: "Old" })).body;
		names.set(id, name);
		const atMs = Date.now() - ageMs;
		const times = [atMs, other(atMs), atMs - 1000 * dayMs];
		await report(node, ...times.map((ms, at) => checkpoint(id, at + 1, { takenAt: new Date(ms).toISOString() })));
	}
	await world.query("UPDATE checkpoints SET recorded_at = now() - interval '2 hours'");
	return names;
}

/** How many of each project's two old versions there are. */
async function left(names: ReadonlyMap<string, string>): Promise<Record<string, number>> {
	const rows = await world.query("SELECT project_id, count(*)::int - 1 AS old FROM checkpoints GROUP BY project_id");
	const known = rows.map((row) => [names.get(row.project_id as string), row.old] as const);
	return Object.fromEntries(known.filter(([name]) => name !== undefined));
}

const expected = (times: keyof Pair["left"]) =>
	Object.fromEntries(Object.entries(pairs).map(([name, pair]) => [name, pair.left[times]]));

async function thinned(options: Record<string, string>, times: keyof Pair["left"]): Promise<void> {
	await world.query("DELETE FROM projects");
	const names = await makeProjects();
	expect(Object.values(await left(names))).toEqual(Object.keys(pairs).map(() => 2));
	const instance = await world.startInstance({ REPLDOCK_JANITOR_INTERVAL: "100ms", ...options });
	try {
		await eventually(async () => expect(await left(names)).toEqual(expected(times)), 10_000);
	} finally {
		await instance.close();
	}
}

test("by default all versions are kept for an hour, one an hour for a day, and one a day for a month", () =>
	thinned({}, "defaults"));

test("the options say for how long", () =>
	thinned({ REPLDOCK_VERSIONS_ALL: "75m", REPLDOCK_VERSIONS_HOURLY: "4h", REPLDOCK_VERSIONS_DAILY: "10d" }, "shorter"));
