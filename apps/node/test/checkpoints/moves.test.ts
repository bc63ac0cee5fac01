import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ObjectStoreError } from "@repldock/objects";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type CheckpointNode, type Cluster, startCluster } from "./rig.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let cluster: Cluster;
let one: CheckpointNode;
let two: CheckpointNode;

beforeAll(async () => {
	cluster = await startCluster();
	one = await cluster.startNode("one");
	two = await cluster.startNode("two");
});
afterAll(() => cluster?.release());

/** A project of node one with "first" in its notes, all of it durable. */
async function makeProject() {
	const { projectId: id, limits } = cluster.place();
	await one.volumes.create(id, cluster.template, limits.diskBytes);
	const notes = (node: CheckpointNode) => join(node.volumes.path(id), "notes");
	await writeFile(notes(one), "first");
	await one.checkpoints.round();
	return { id, notes };
}

/** The site gives the project to another holder, or to the same one anew. */
function move(projectId: string, want: "running" | "left" = "running") {
	const before = cluster.placements.get(projectId);
	if (!before) throw new Error("there is no such project");
	return cluster.place({ ...before, want, stored: true, generation: before.generation + 1 });
}

const newest = (id: string, generation: number) =>
	[...cluster.recorded.values()]
		.filter((checkpoint) => checkpoint.projectId === id && checkpoint.generation === generation)
		.toSorted((a, b) => a.sequence - b.sequence)
		.at(-1);

/** What was stored of a project, as another node finds it. */
async function notesOf(id: string, version: { generation: number; sequence: number } | undefined): Promise<string> {
	const scratch = cluster.place({ stored: true });
	const last = cluster.chainOf(id, version).at(-1);
	if (!last) throw new Error("there is no such version");
	cluster.pin(scratch.projectId, last);
	await two.checkpoints.restore(scratch);
	return readFile(join(two.volumes.path(scratch.projectId), "notes"), "utf8");
}

test("a volume that its project has left behind is stored under its own generation, then gives way to the present state", async () => {
	const { id, notes } = await makeProject();
	await two.checkpoints.restore(move(id));
	await writeFile(notes(two), "second");
	await two.checkpoints.round();
	// The first node knew of nothing and worked on.
	await writeFile(notes(one), "never seen by the second");
	// Its round comes before or after it hears that the project is its own again.
	const back = move(id);
	await one.checkpoints.restore(back);
	expect(await readFile(notes(one), "utf8")).toBe("second");
	expect(await notesOf(id, newest(id, 1))).toBe("never seen by the second");
	await writeFile(notes(one), "third");
	await one.checkpoints.round();
	expect(cluster.chainOf(id).at(-1)).toMatchObject({ generation: back.generation });
	expect(await notesOf(id, newest(id, back.generation))).toBe("third");
	// An agent that starts anew knows under which generation it holds the volume.
	await one.restart();
	await writeFile(notes(one), "fourth");
	await one.checkpoints.round();
	expect(await notesOf(id, newest(id, back.generation))).toBe("fourth");
});

test("a volume whose project nobody has changed elsewhere goes on, with what was not yet durable", async () => {
	const { id, notes } = await makeProject();
	await two.checkpoints.restore(move(id));
	await writeFile(notes(one), "typed while the node was cut off");
	const back = move(id);
	await one.checkpoints.restore(back);
	expect(await readFile(notes(one), "utf8")).toBe("typed while the node was cut off");
	await one.checkpoints.round();
	expect(cluster.chainOf(id).at(-1)).toMatchObject({ generation: back.generation });
});

test("a node lets go of what another has once all of it is stored and recorded, and of nothing before", async () => {
	const { id, notes } = await makeProject();
	await two.checkpoints.restore(move(id));
	await writeFile(notes(two), "second");
	await two.checkpoints.round();
	await writeFile(notes(one), "beyond");
	const placement = cluster.placements.get(id);
	// What the first node is told: its old generation is to go.
	cluster.placements.set(id, { ...(placement as NonNullable<typeof placement>), want: "left", generation: 1 });
	cluster.breakStore({
		put: () => Promise.reject(new ObjectStoreError("unavailable", "The object store is away.")),
	});
	await expect(one.checkpoints.leave(id)).rejects.toMatchObject({ code: "timed_out" });
	expect(await readFile(notes(one), "utf8")).toBe("beyond");
	cluster.breakStore();
	cluster.typing.set(id, () => Promise.reject(new Error("no room for it")));
	await expect(one.checkpoints.leave(id)).rejects.toThrow();
	cluster.typing.delete(id);
	cluster.site.down = true;
	const leaving = one.checkpoints.leave(id);
	await new Promise((resolve) => setTimeout(resolve, 300));
	expect(await one.volumes.exists(id)).toBe(true);
	cluster.site.down = false;
	one.checkpoints.reports.tellAgain();
	await leaving;
	expect(await one.volumes.exists(id)).toBe(false);
	expect((await one.snapshots.survey()).snapshots.has(id)).toBe(false);
	expect(await notesOf(id, newest(id, 1))).toBe("beyond");
	expect(cluster.chainOf(id).at(-1)).toMatchObject({ generation: 2 });
	// Said twice.
	await one.checkpoints.leave(id);
});

test("what was durable tells of a volume from before generations were kept", async () => {
	const { id, notes } = await makeProject();
	const file = one.stateFile;
	const { held: _held, ...before } = JSON.parse(await readFile(file, "utf8")) as { held: unknown };
	await writeFile(file, JSON.stringify(before));
	await one.restart();
	await two.checkpoints.restore(move(id));
	await writeFile(notes(two), "second");
	await two.checkpoints.round();
	await one.checkpoints.restore(move(id));
	expect(await readFile(notes(one), "utf8")).toBe("second");
});
