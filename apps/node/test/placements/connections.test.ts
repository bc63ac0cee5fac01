import { expect, onTestFinished, test } from "vitest";
import { hold, otherId, placement, projectId, rig } from "./rig.ts";

test("an agent that starts anew takes over a paused container as it is", async () => {
	const { placements, makePlacements, containers, created } = await rig();
	await placements.apply([placement()]);
	await placements.pause(projectId);
	// Once more, so that the file is written.
	await placements.apply([placement()]);
	placements.close();
	const next = makePlacements();
	onTestFinished(() => next.close());
	await next.recover();
	expect(next.life(projectId).state).toBe("paused");
	expect(containers.get("c1")?.state).toBe("paused");
	expect((await next.ensureRunning(projectId)).containerId).toBe("c1");
	expect(created()).toBe(1);
});

test("a container that cannot be attached to the network does not run, and its address is nobody's", async () => {
	const { placements, containers, before, attached } = await rig();
	before.attach = async () => {
		throw new Error("no cable");
	};
	await placements.apply([placement()]);
	expect(placements.life(projectId)).toMatchObject({ state: "failed", problem: { code: "container_failed" } });
	expect(containers.size).toBe(0);
	expect(attached.size).toBe(0);
	before.attach = async () => {};
	await placements.ensureRunning(projectId);
	expect([...attached]).toEqual([projectId]);
	await placements.stop(projectId);
	expect(attached.size).toBe(0);
});

test("an adopted container whose network cannot be had is ended", async () => {
	const { placements, makePlacements, containers, before } = await rig();
	await placements.apply([placement()]);
	placements.close();
	expect([...containers.keys()]).toEqual(["c1"]);
	before.adopt = async () => [projectId];
	const next = makePlacements();
	await next.recover();
	next.close();
	// It may be started anew, with all that belongs to a start.
	expect(containers.has("c1")).toBe(false);
});

test("a container gets its volume when it runs and before anybody may use it, loses it at rest, and has a home no longer than it lives", async () => {
	const { placements, homes, before, created } = await rig();
	const held = hold();
	before.fill = held.wait;
	const applied = placements.apply([placement()]);
	await held.reached;
	expect(placements.running(projectId)).toBeUndefined();
	expect([...homes.values()]).toEqual([null]);
	held.open();
	await applied;
	expect(placements.running(projectId)).toBeDefined();
	expect([...homes.values()]).toEqual([`/volumes/${projectId} as app`]);
	await placements.stop(projectId);
	expect([...homes.values()]).toEqual([null]);
	await placements.ensureRunning(projectId);
	expect([...homes.values()]).toEqual([`/volumes/${projectId} as app`]);
	expect(created()).toBe(1);
	await placements.apply([placement({ want: "stopped", wantVersion: 2 })]);
	expect(homes.size).toBe(0);
});

test("a container that cannot have its volume does not run, and leaves neither home nor network", async () => {
	const { placements, containers, homes, attached, before } = await rig();
	before.fill = async () => {
		throw new Error("mount failed");
	};
	await placements.apply([placement()]);
	expect(placements.life(projectId)).toMatchObject({ state: "failed", problem: { code: "container_failed" } });
	expect([containers.size, homes.size, attached.size]).toEqual([0, 0, 0]);
	before.fill = async () => {};
	before.create = async () => {
		throw new Error("no space");
	};
	await expect(placements.ensureRunning(projectId)).rejects.toMatchObject({ code: "container_failed" });
	expect([containers.size, homes.size]).toEqual([0, 0]);
});

test("a new agent gives running containers their volumes again, ends those that cannot have one, and clears away homes", async () => {
	const { placements, makePlacements, homes, before, containers } = await rig();
	const desired = [placement(), placement({ projectId: otherId })];
	await placements.apply(desired);
	// Once more, so that the file is written.
	await placements.apply(desired);
	placements.close();
	for (const [name, mounted] of homes) if (mounted?.includes(projectId)) homes.set(name, null);
	homes.set("left", "/volumes/gone");
	const again = makePlacements();
	await again.recover();
	expect(again.running(projectId)).toBeDefined();
	expect([...homes.values()].sort()).toEqual([`/volumes/${otherId} as app`, `/volumes/${projectId} as app`].sort());
	before.fill = async () => {
		throw new Error("the container does not see it");
	};
	again.close();
	const third = makePlacements();
	await third.recover();
	third.close();
	expect([containers.size, homes.size]).toEqual([0, 0]);
	expect(third.life(projectId).state).toBe("stopped");
});
