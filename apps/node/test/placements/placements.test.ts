import { expect, test } from "vitest";
import { hold, otherId, placement, projectId, rig, until } from "./rig.ts";

test("a project that is stopped while it starts does not run afterwards", async () => {
	const { placements, containers, before } = await rig();
	await placements.apply([placement()]);
	await placements.stop(projectId);
	// The one that rests does not fit any more.
	await placements.apply([placement({ slug: "renamed" })]);
	const held = hold();
	before.create = held.wait;
	const started = placements.ensureRunning(projectId);
	await held.reached;
	// The engine shows no container of it yet.
	await placements.apply([placement({ want: "stopped", wantVersion: 2 })]);
	held.open();
	await expect(started).rejects.toMatchObject({ code: "not_running" });
	expect(containers.size).toBe(0);
	expect(placements.life(projectId).state).toBe("stopped");
});

test("a project that is taken away while somebody starts it leaves no container", async () => {
	const { placements, containers, before } = await rig();
	const held = hold();
	await placements.apply([placement({ want: "stopped" })]);
	before.inspect = held.wait;
	const started = placements.apply([placement({ wantVersion: 2 })]);
	await held.reached;
	const opened = placements.ensureRunning(projectId);
	const gone = placements.apply([]);
	held.open();
	await expect(opened).rejects.toMatchObject({ code: "not_running" });
	await Promise.all([started, gone]);
	expect(containers.size).toBe(0);
});

test("a stop that the engine refuses is tried again, and other projects do not wait for it", async () => {
	const { placements, containers, before } = await rig();
	await placements.apply([placement()]);
	let refusals = 2;
	before.stop = async () => {
		refusals -= 1;
		if (refusals >= 0) throw new Error("the engine is busy");
	};
	await placements.apply([placement({ want: "stopped", wantVersion: 2 }), placement({ projectId: otherId })]);
	expect(placements.life(otherId).state).toBe("running");
	await until(() => placements.life(projectId).state === "stopped");
	expect([...containers.values()].map((container) => container.projectId)).toEqual([otherId]);
});

test("a volume that cannot be removed does not keep the agent from starting", async () => {
	const { placements, volumes, before } = await rig();
	await placements.apply([placement({ want: "stopped" })]);
	volumes.add(projectId);
	let refusals = 1;
	before.removeVolume = async () => {
		refusals -= 1;
		if (refusals >= 0) throw new Error("busy");
	};
	await placements.apply([placement({ want: "purged", wantVersion: 2 })]);
	await until(() => placements.observed()[0]?.state === "purged");
	expect(volumes.size).toBe(0);
	await expect(placements.ensureVolume(projectId)).rejects.toMatchObject({ code: "not_placed_here" });
	expect(volumes.size).toBe(0);
});

test("a project counts as gone for good only when all that the node has of it is forgotten, and others do not wait for that", async () => {
	const { placements, volumes, before } = await rig();
	volumes.add(projectId);
	let refusals = 2;
	const held = hold();
	before.forget = async () => {
		refusals -= 1;
		if (refusals >= 0) throw new Error("busy");
		expect(volumes.has(projectId)).toBe(true);
		await held.wait();
	};
	await placements.apply([placement({ want: "purged", wantVersion: 2 }), placement({ projectId: otherId })]);
	await held.reached;
	expect(placements.life(otherId).state).toBe("running");
	expect(placements.observed([projectId])[0]?.state).not.toBe("purged");
	held.open();
	await until(() => placements.observed([projectId])[0]?.state === "purged");
	expect(volumes.has(projectId)).toBe(false);
});

test("a project that is another node's now is stored first, then gone from here, and may come back", async () => {
	const { placements, volumes, before, containers } = await rig();
	await placements.apply([placement()]);
	expect(containers.size).toBe(1);
	let refusals = 1;
	before.leave = async () => {
		refusals -= 1;
		expect([containers.size, volumes.has(projectId)]).toEqual([0, true]);
		if (refusals >= 0) throw new Error("the store is away");
	};
	await placements.apply([placement({ want: "left" })]);
	// What people typed before may still be written into its files.
	await placements.ensureVolume(projectId);
	await expect(placements.ensureRunning(projectId)).rejects.toMatchObject({ code: "not_running" });
	await until(() => placements.observed()[0]?.state === "left");
	expect(volumes.has(projectId)).toBe(false);
	await expect(placements.ensureVolume(projectId)).rejects.toMatchObject({ code: "not_placed_here" });
	await placements.apply([placement({ generation: 3, wantVersion: 2 })]);
	expect(placements.observed()[0]).toMatchObject({ generation: 3, state: "running" });
});

test("a container whose stop failed half-way is cleared away when the project is opened", async () => {
	const { placements, before, created } = await rig();
	await placements.apply([placement()]);
	before.stop = () => Promise.reject(new Error("the engine is busy"));
	await expect(placements.stop(projectId)).rejects.toThrow("busy");
	expect(placements.life(projectId).state).toBe("stopping");
	before.stop = async () => {};
	await placements.ensureRunning(projectId);
	expect(placements.life(projectId).state).toBe("running");
	expect(created()).toBe(2);
});

test("a container that ends before its start is done does not stay as running", async () => {
	const { placements, before, end } = await rig();
	await placements.apply([placement({ want: "stopped" })]);
	const held = hold();
	before.inspect = held.wait;
	const started = placements.apply([placement({ wantVersion: 2 })]);
	await held.reached;
	end("c1");
	const ended = placements.containerEnded(projectId, "c1");
	held.open();
	await Promise.all([started, ended]);
	expect(placements.life(projectId).state).toBe("stopped");
});

test("a change of one project is not told of all the others", async () => {
	const { placements, changes } = await rig();
	const other = placement({ projectId: otherId, want: "stopped" });
	await placements.apply([placement({ want: "stopped" }), other]);
	changes.length = 0;
	await placements.apply([placement({ want: "stopped", visibility: "public" }), other]);
	expect(changes).toEqual([projectId]);
});

test("a node that goes down ends all containers, one that is being started too, and starts none any more", async () => {
	const { placements, containers, before, created } = await rig();
	await placements.apply([placement(), placement({ projectId: otherId, want: "stopped" })]);
	const held = hold();
	before.create = held.wait;
	const both = [placement(), placement({ projectId: otherId, wantVersion: 2 })];
	const applied = placements.apply(both);
	await held.reached;
	const ended = placements.endAll(10_000);
	await until(() => placements.life(projectId).state === "stopped");
	held.open();
	await Promise.all([ended, applied]);
	expect(containers.size).toBe(0);
	await placements.apply([placement({ wantVersion: 3 }), placement({ projectId: otherId, wantVersion: 3 })]);
	await expect(placements.ensureRunning(projectId)).rejects.toMatchObject({ code: "node_unreachable" });
	expect(created()).toBe(2);
	expect(containers.size).toBe(0);
});

test("a start that takes for ever does not keep a node from going down", async () => {
	const { placements, before } = await rig();
	await placements.apply([placement({ want: "stopped" })]);
	const held = hold();
	before.create = held.wait;
	const applied = placements.apply([placement({ wantVersion: 2 })]);
	await held.reached;
	await placements.endAll(50);
	held.open();
	await applied;
	expect(placements.life(projectId).state).toBe("stopped");
});
