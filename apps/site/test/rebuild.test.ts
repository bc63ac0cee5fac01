import { randomUUID } from "node:crypto";
import type { CheckpointId, StoredCheckpoint } from "@repldock/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { findProjects } from "../src/domain/rebuild.ts";
import { findChain, findUnnamedObjects } from "../src/store/checkpoints.ts";
import { type Database, openDatabase } from "../src/store/database.ts";
import { placeProject } from "../src/store/placements.ts";
import { knowsAll, rebuildIndex } from "../src/store/rebuild.ts";
import { thinCheckpoints } from "../src/store/thinning.ts";
import type { Client } from "./support/client.ts";
import { dialIn } from "./support/fake-node.ts";
import { createWorld, type World } from "./support/site.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: World;
let database: Database;
let administrator: Client;

beforeAll(async () => {
	world = await createWorld();
	const instance = await world.startInstance();
	administrator = await instance.administrator();
	await dialIn(world, instance, "one");
	const { socketDirectory } = world.cluster;
	database = openDatabase({ host: socketDirectory, database: world.database, user: "repldock" }, 2, () => undefined);
});
afterAll(async () => {
	await database?.destroy();
	await world?.stop();
});

const options = { limits: { memoryBytes: 1, cpus: 1, pids: 8, diskBytes: 1 }, fallbackTemplate: "python" };
const facts = { name: "Mine", slug: "mine", template: "node-web", visibility: "public", ownerId: "gone" } as const;

function checkpoint(
	projectId: string,
	generation: number,
	sequence: number,
	parent: CheckpointId | null = null,
	change: Partial<StoredCheckpoint> = {},
): StoredCheckpoint {
	return {
		projectId,
		generation,
		sequence,
		parent: parent && { projectId: parent.projectId, generation: parent.generation, sequence: parent.sequence },
		kind: "change",
		name: null,
		takenAt: "2026-01-02T03:04:05.000Z",
		key: `projects/${projectId}/${generation}/${sequence}`,
		start: 0,
		bytes: 10,
		sha256: "ab".repeat(32),
		...change,
	};
}

const rebuild = (stored: StoredCheckpoint[]) => rebuildIndex(database, findProjects(stored).projects, options);
const durable = async (id: string) =>
	(await world.query("SELECT generation, sequence::int FROM durable_checkpoints WHERE project_id = $1", [id]))[0];

test("the present state is the latest checkpoint whose chain is whole; those with a gap are named", () => {
	const id = randomUUID();
	const full = checkpoint(id, 1, 10);
	const next = checkpoint(id, 2, 5, full);
	const lost = checkpoint(id, 2, 6, next);
	const orphan = checkpoint(id, 2, 7, lost);
	const later = checkpoint(id, 2, 8, orphan);
	const { projects, broken } = findProjects([later, next, orphan, full]);
	expect(projects).toMatchObject([{ id, current: { projectId: id, generation: 2, sequence: 5 } }]);
	expect(projects[0]?.checkpoints.map(({ checkpoint }) => checkpoint)).toEqual([full, next]);
	expect(broken.map(({ sequence }) => sequence).sort()).toEqual([7, 8]);
});

test("chains go through other projects, and ones that loop are no chains", () => {
	const [origin, fork] = [randomUUID(), randomUUID()];
	const full = checkpoint(origin, 3, 10);
	const first = checkpoint(fork, 1, 20, full);
	expect(
		findProjects([first, full])
			.projects.map(({ id }) => id)
			.sort(),
	).toEqual([origin, fork].sort());
	expect(findProjects([first]).broken).toHaveLength(1);
	const ring = { projectId: fork, generation: 1, sequence: 2 };
	const loop = [checkpoint(fork, 1, 1, ring), checkpoint(fork, 1, 2, checkpoint(fork, 1, 1))];
	expect(findProjects(loop)).toMatchObject({ projects: [], broken: [{}, {}] });
});

test("what a node stored after it had lost the project is a recovered version, never the present state", () => {
	const id = randomUUID();
	const full = checkpoint(id, 1, 10);
	const late = checkpoint(id, 1, 99, full);
	const successor = checkpoint(id, 2, 20, full);
	const [project] = findProjects([full, late, successor]).projects;
	expect(project?.current).toMatchObject({ generation: 2, sequence: 20 });
	expect(project?.checkpoints.map(({ recovered }) => recovered)).toEqual([false, true, false]);
});

test("projects come back with what their objects tell, the administrator's, placed under a new generation; twice is once", async () => {
	const [told, untold, taken] = [randomUUID(), randomUUID(), randomUUID()];
	const full = checkpoint(told, 6, 10, null, { project: { ...facts, name: "Old name" } });
	const stored = [
		full,
		checkpoint(told, 7, 20, full, { project: facts }),
		checkpoint(untold, 1, 1),
		checkpoint(taken, 1, 1, null, { project: facts }),
	];
	const seen = async () => (await world.query("SELECT extract(epoch FROM seen)::int AS seen FROM janitor_looks"))[0];
	expect(await seen()).toEqual({ seen: 24 * 3600 });
	expect(await rebuild(stored)).toEqual({ projects: 3, checkpoints: 4, moved: 3, deleted: 0 });
	// Versions of long ago are there for a day before any is thinned out.
	expect(await seen()).toEqual({ seen: 0 });
	await world.query("UPDATE janitor_looks SET seen = interval '1 hour'");
	expect(await rebuild(stored)).toEqual({ projects: 0, checkpoints: 0, moved: 0, deleted: 0 });
	expect(await seen()).toEqual({ seen: 3600 });
	expect(await durable(told)).toEqual({ generation: 7, sequence: 20 });
	const read = async (id: string) => (await administrator.get(`/api/v1/projects/${id}`)).body;
	expect(await read(told)).toMatchObject({ name: "Mine", slug: "mine", template: "node-web", visibility: "public" });
	expect(await read(untold)).toMatchObject({ slug: `recovered-${untold.slice(0, 8)}`, visibility: "private" });
	expect(await read(taken)).toMatchObject({ name: "Mine", slug: "mine-2" });
	await placeProject(database, told);
	const [placement] = await world.query("SELECT generation FROM placements WHERE project_id = $1", [told]);
	expect(placement).toEqual({ generation: 8 });
});

test("on a living database only what is missing is added: states move forward, and what was deleted stays deleted", async () => {
	const id = randomUUID();
	const full = checkpoint(id, 1, 10);
	const next = checkpoint(id, 1, 20, full);
	await rebuild([full, next]);
	expect(await rebuild([full])).toMatchObject({ checkpoints: 0, moved: 0 });
	expect(await durable(id)).toEqual({ generation: 1, sequence: 20 });
	const latest = checkpoint(id, 1, 30, next);
	expect(await rebuild([full, next, latest])).toMatchObject({ projects: 0, checkpoints: 1, moved: 1 });
	await knowsAll(database);
	await world.query("DELETE FROM projects WHERE id = $1", [id]);
	expect(await rebuild([full, next, latest])).toEqual({ projects: 0, checkpoints: 0, moved: 0, deleted: 1 });
});

test("a fork comes back with what it builds on, whether its origin is found first, last, or was deleted for good", async () => {
	await world.query("UPDATE object_index SET knows_since = now()");
	const knownAt = Date.now();
	for (const takenAt of [new Date(knownAt - 1e9), new Date(knownAt + 1e9)].map((time) => time.toISOString())) {
		const [origin, fork] = [randomUUID(), randomUUID()];
		const full = checkpoint(origin, 1, 10, null, { takenAt });
		const edit = checkpoint(origin, 1, 20, full, { takenAt });
		const later = checkpoint(origin, 1, 30, edit, { takenAt });
		const first = checkpoint(fork, 1, 25, edit, { takenAt: new Date(knownAt - 1e9).toISOString() });
		const second = checkpoint(fork, 1, 35, first);
		await rebuild([second, first, later, edit, full]);
		expect(await durable(fork)).toEqual({ generation: 1, sequence: 35 });
		const isDeleted = Date.parse(takenAt) > knownAt;
		expect(await durable(origin)).toEqual(isDeleted ? undefined : { generation: 1, sequence: 30 });
		const chain = await findChain(database, fork);
		expect(chain.map(({ projectId, sequence }) => [projectId, sequence])).toEqual([
			[origin, 10],
			[origin, 20],
			[fork, 25],
			[fork, 35],
		]);
	}
});

test("a fork that nobody has opened comes back by its reference, which keeps what it builds on, be the origin deleted", async () => {
	await world.query("UPDATE object_index SET knows_since = now() - interval '1 day'");
	const [origin, fork] = [randomUUID(), randomUUID()];
	const full = checkpoint(origin, 1, 10, null, { takenAt: new Date(Date.now() + 1e9).toISOString() });
	const edit = checkpoint(origin, 1, 20, full, { takenAt: full.takenAt });
	const project = { ...facts, slug: "unopened", name: "Unopened" };
	const reference = checkpoint(fork, 1, 20, edit, { bytes: 0, key: "packs/n/1-1000001", project });
	expect(await rebuild([reference, edit, full])).toMatchObject({ projects: 1, deleted: 1 });
	expect((await administrator.get(`/api/v1/projects/${fork}`)).body).toMatchObject({
		name: "Unopened",
		slug: "unopened",
	});
	await world.query("UPDATE checkpoints SET recorded_at = '2000-01-01Z', taken_at = '2000-01-01Z'");
	await thinCheckpoints(database, { allMs: 1, hourlyMs: 1, dailyMs: 1, undoMs: 1 });
	expect(await findUnnamedObjects(database, [full.key, edit.key, reference.key])).toEqual([]);
	expect((await findChain(database, fork)).map(({ projectId, bytes }) => [projectId, bytes])).toEqual([
		[origin, 10],
		[origin, 10],
		[fork, 0],
	]);
});
