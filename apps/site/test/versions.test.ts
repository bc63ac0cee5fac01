import type { Checkpoint, Version, VersionList } from "@repldock/protocol";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { checkpoint as made, report as reportAs } from "./support/checkpoints.ts";
import type { Client } from "./support/client.ts";
import { eventually } from "./support/eventually.ts";
import { dialIn, type FakeNode } from "./support/fake-node.ts";
import { createWorld, type Instance, type World } from "./support/site.ts";

// Passwords are hashed slowly on purpose, and test files share few cores.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: World;
let instance: Instance;
let owner: Client;
let stranger: Client;
let node: FakeNode;

beforeAll(async () => {
	world = await createWorld({ REPLDOCK_JANITOR_INTERVAL: "100ms" });
	instance = await world.startInstance();
	owner = await instance.signedUp("Owner");
	stranger = await instance.signedUp("Stranger");
	node = await dialIn(world, instance, "one");
});
afterAll(() => world?.stop());

async function makeProject(visibility: "public" | "private" = "private"): Promise<string> {
	return (await owner.post("/api/v1/projects", { template: "python", name: "Versions", visibility })).body.id;
}

/** Taken years ago, in the order of their numbers. */
function checkpoint(projectId: string, sequence: number, change: Partial<Checkpoint> = {}): Checkpoint {
	return made(projectId, sequence, { takenAt: new Date(1_700_000_000_000 + sequence).toISOString(), ...change });
}

const parent = (projectId: string, sequence: number) => ({ projectId, generation: 1, sequence });

const report = (...checkpoints: Checkpoint[]) => reportAs(node, ...checkpoints);

async function list(id: string, query = "", client: Client = owner): Promise<VersionList> {
	const answer = await client.get(`/api/v1/projects/${id}/versions${query}`);
	expect(answer.status).toBe(200);
	return answer.body;
}

const idsOf = ({ versions }: VersionList) => versions.map(({ id }) => id);
const path = (id: string, version: string) => `/api/v1/projects/${id}/versions/${version}`;

test("versions are listed newest first, in pages that miss and repeat nothing, and by name alone", async () => {
	const id = await makeProject();
	expect(await list(id)).toEqual({ versions: [], next: null });
	const names = new Map([
		[2, "first"],
		[5, "second"],
	]);
	await report(
		...[1, 2, 3, 4, 5, 6, 7].map((n) =>
			checkpoint(id, n, { name: names.get(n) ?? null, kind: names.has(n) ? "named" : "change" }),
		),
	);
	const { versions, next } = await list(id);
	expect(next).toBeNull();
	expect(versions.map((version) => version.id)).toEqual(["1.7", "1.6", "1.5", "1.4", "1.3", "1.2", "1.1"]);
	expect(versions[2]).toEqual({
		id: "1.5",
		kind: "named",
		name: "second",
		takenAt: new Date(1_700_000_000_005).toISOString(),
		recovered: false,
		current: false,
	});
	expect(versions.filter(({ current }) => current).map((version) => version.id)).toEqual(["1.7"]);
	const seen: string[] = [];
	let before: string | null = "";
	while (before !== null) {
		const page: VersionList = await list(id, `?limit=3${before ? `&before=${before}` : ""}`);
		seen.push(...idsOf(page));
		before = page.next;
	}
	expect(seen).toEqual(idsOf({ versions, next }));
	expect(await list(id, "?limit=7")).toMatchObject({ next: null });
	expect(idsOf(await list(id, "?named=1"))).toEqual(["1.5", "1.2"]);
});

test("what a node that lost the project had is listed where it belongs in time, as recovered and never as current", async () => {
	const id = await makeProject();
	await report(checkpoint(id, 10));
	await world.query("UPDATE placements SET generation = 2 WHERE project_id = $1", [id]);
	await report(checkpoint(id, 20, { parent: parent(id, 10) }), checkpoint(id, 15, { generation: 2 }));
	const { versions } = await list(id);
	expect(versions.map((version) => [version.id, version.recovered, version.current])).toEqual([
		["1.20", true, false],
		["2.15", false, true],
		["1.10", false, false],
	]);
});

test("a version that builds on what was never recorded is none: its node hears so", async () => {
	const id = await makeProject();
	await report(checkpoint(id, 5));
	node.send({ type: "checkpoints", checkpoints: [checkpoint(id, 30, { parent: parent(id, 20) })] });
	await eventually(async () => expect(node.orphaned()).toContainEqual(parent(id, 30)));
	expect(idsOf(await list(id))).toEqual(["1.5"]);
	expect((await owner.patch(path(id, "1.30"), { name: "half" })).status).toBe(404);
});

test("a version is named, renamed and loses its name; it is kept as long as it has one", async () => {
	const id = await makeProject();
	await report(checkpoint(id, 1), checkpoint(id, 2, { parent: parent(id, 1) }), checkpoint(id, 3));
	const named = await owner.patch(path(id, "1.2"), { name: "  Before the talk " });
	expect(named).toMatchObject({ status: 200, body: { id: "1.2", kind: "change", name: "Before the talk" } });
	expect((await owner.patch(path(id, "1.2"), { name: "After it" })).body.name).toBe("After it");
	expect(idsOf(await list(id, "?named=1"))).toEqual(["1.2"]);
	await world.query("UPDATE checkpoints SET recorded_at = now() - interval '2 hours' WHERE project_id = $1", [id]);
	// The janitor came by: these were taken years ago. What the named one builds on stays as well.
	const other = await makeProject();
	await report(checkpoint(other, 1), checkpoint(other, 2));
	await world.query("UPDATE checkpoints SET recorded_at = now() - interval '2 hours' WHERE project_id = $1", [other]);
	await eventually(async () => expect(idsOf(await list(other))).toEqual(["1.2"]));
	expect(idsOf(await list(id))).toEqual(["1.3", "1.2", "1.1"]);
	expect((await owner.patch(path(id, "1.2"), { name: null })).body.name).toBeNull();
	await eventually(async () => expect(idsOf(await list(id))).toEqual(["1.3"]));
	expect((await owner.patch(path(id, "1.2"), { name: "too late" })).body.code).toBe("not_found");
});

test("what a restore replaced, and what was recovered, is kept for the time of the trash", async () => {
	const id = await makeProject();
	await report(checkpoint(id, 10, { kind: "before-restore" }), checkpoint(id, 11), checkpoint(id, 40));
	await world.query("UPDATE placements SET generation = 2 WHERE project_id = $1", [id]);
	await report(checkpoint(id, 20));
	const age = (days: number) =>
		world.query("UPDATE checkpoints SET recorded_at = now() - $2 * interval '1 day' WHERE project_id = $1", [id, days]);
	await age(6);
	await eventually(async () => expect(idsOf(await list(id))).toEqual(["1.40", "1.20", "1.10"]));
	await age(8);
	await eventually(async () => expect(idsOf(await list(id))).toEqual(["1.40"]));
});

test("a version that is being thinned out cannot be named, and one that was named in time stays whole", async () => {
	const id = await makeProject();
	await report(checkpoint(id, 1), checkpoint(id, 2, { parent: parent(id, 1) }), checkpoint(id, 3));
	// A naming that is under way: nothing is thinned before its end.
	const connection = new pg.Client({
		host: world.cluster.socketDirectory,
		database: world.database,
		user: "repldock",
	});
	await connection.connect();
	await connection.query("BEGIN");
	await connection.query("SELECT pg_advisory_xact_lock_shared(7210003)");
	await world.query("UPDATE checkpoints SET recorded_at = now() - interval '2 hours' WHERE project_id = $1", [id]);
	const waiting = "SELECT 1 AS one FROM pg_locks WHERE locktype = 'advisory' AND objid = 7210003 AND NOT granted";
	await eventually(async () => expect(await world.query(waiting)).not.toEqual([]));
	await connection.query("UPDATE checkpoints SET name = 'kept' WHERE project_id = $1 AND sequence = 2", [id]);
	await connection.query("COMMIT");
	await connection.end();
	const other = await makeProject();
	await report(checkpoint(other, 1), checkpoint(other, 2));
	await world.query("UPDATE checkpoints SET recorded_at = now() - interval '2 hours' WHERE project_id = $1", [other]);
	await eventually(async () => expect(idsOf(await list(other))).toEqual(["1.2"]));
	expect(idsOf(await list(id))).toEqual(["1.3", "1.2", "1.1"]);
});

test("whoever may see a project sees its versions; naming needs the right to edit, and private things stay private", async () => {
	const [open, closed] = [await makeProject("public"), await makeProject("private")];
	await report(checkpoint(open, 1, { name: "v1", kind: "named" }), checkpoint(closed, 1));
	for (const client of [stranger, instance.client()]) {
		expect(idsOf(await list(open, "", client))).toEqual(["1.1"]);
		expect((await client.get(`/api/v1/projects/${closed}/versions`)).status).toBe(404);
	}
	expect((await stranger.patch(path(open, "1.1"), { name: "mine" })).body.code).toBe("not_allowed");
	expect((await stranger.patch(path(closed, "1.1"), { name: "mine" })).body.code).toBe("not_found");
	expect((await instance.client().patch(path(open, "1.1"), { name: "mine" })).body.code).toBe("sign_in_required");
	expect((await list(open)).versions[0]?.name).toBe("v1");
	await owner.delete(`/api/v1/projects/${open}`);
	expect((await stranger.get(`/api/v1/projects/${open}/versions`)).status).toBe(404);
	expect((await owner.patch(path(open, "1.1"), { name: "x" })).body.code).toBe("not_allowed");
});

test("a version's name that makes no sense, and versions that are none of the project's, are refused with a sentence", async () => {
	const [id, other] = [await makeProject(), await makeProject()];
	await report(checkpoint(id, 1), checkpoint(other, 7));
	for (const version of ["0.1", "1", "1.1.1", "1.-1", "1.01x", "x", "999999999999.1"]) {
		expect((await owner.patch(path(id, version), { name: "x" })).status).toBe(400);
		expect((await owner.get(`/api/v1/projects/${id}/versions?before=${version}`)).status).toBe(400);
	}
	for (const name of ["", "   ", "x".repeat(101), 7, undefined])
		expect((await owner.patch(path(id, "1.1"), { name })).body.code).toBe("invalid_input");
	for (const version of ["1.7", "9.1", "1.9999999999999999", "999999999.1"])
		expect((await owner.patch(path(id, version), { name: "x" })).body.code).toBe("not_found");
	const farAway: Version[] = (await list(id, "?before=999999999.9999999999999999")).versions;
	expect(farAway.map((version) => version.id)).toEqual(["1.1"]);
});
