import type { DesiredPlacement } from "@repldock/protocol";
import { expect, test } from "vitest";
import { hold, otherId, placement, projectId, rig } from "./rig.ts";

test("a project that was opened twice stays stopped once nobody uses it", async () => {
	const { placements, created } = await rig();
	await placements.apply([placement()]);
	await placements.apply([placement({ wantVersion: 2 })]);
	await placements.stop(projectId);
	await placements.apply([placement({ wantVersion: 2 }), placement({ projectId: otherId, want: "stopped" })]);
	expect(placements.life(projectId).state).toBe("stopped");
	expect(created()).toBe(1);
});

test("what was stopped for want of use starts again as it was made, and one that an owner stops is removed", async () => {
	const { placements, containers, created } = await rig();
	await placements.apply([placement()]);
	await placements.stop(projectId);
	expect(placements.life(projectId).state).toBe("stopped");
	expect(containers.get("c1")?.state).toBe("exited");
	// A look at the node leaves it alone.
	await placements.apply([placement({ visibility: "public" })]);
	expect((await placements.ensureRunning(projectId)).containerId).toBe("c1");
	expect(created()).toBe(1);
	await placements.stop(projectId);
	await placements.apply([placement({ want: "stopped", wantVersion: 2 })]);
	expect(containers.size).toBe(0);
});

test("what rests is not started again when it would be made otherwise now, or cannot be started", async () => {
	const { placements, containers, before } = await rig();
	await placements.apply([placement()]);
	await placements.stop(projectId);
	const renamed = { slug: "renamed" };
	await placements.apply([placement(renamed)]);
	expect((await placements.ensureRunning(projectId)).slug).toBe("renamed");
	expect([...containers.keys()]).toEqual(["c2"]);
	await placements.stop(projectId);
	let failures = 0;
	before.start = async () => {
		failures += 1;
		if (failures === 1) throw new Error("it does not start");
	};
	await placements.ensureRunning(projectId);
	expect([...containers.keys()]).toEqual(["c3"]);
	await placements.stop(projectId);
	await placements.apply([placement({ ...renamed, generation: 2 })]);
	expect(containers.size).toBe(0);
});

test("late news of the sleep of a container does not end it when it runs again", async () => {
	const { placements } = await rig();
	await placements.apply([placement()]);
	await placements.stop(projectId);
	await placements.ensureRunning(projectId);
	await placements.containerEnded(projectId, "c1");
	expect(placements.running(projectId)?.containerId).toBe("c1");
});

test.each([
	["made anew", "renamed"],
	["at rest", "app"],
])(
	"a start that is done while the node is looked at is not taken for a container that ended: one %s",
	async (_, slug) => {
		const { placements, before } = await rig();
		await placements.apply([placement()]);
		await placements.stop(projectId);
		await placements.apply([placement({ slug })]);
		const [starting, look] = [hold(), hold()];
		before.start = starting.wait;
		const started = placements.ensureRunning(projectId);
		await starting.reached;
		before.list = look.wait;
		const looked = placements.apply([placement({ slug, visibility: "public" })]);
		await look.reached;
		starting.open();
		const { containerId } = await started;
		look.open();
		await looked;
		expect(placements.running(projectId)?.containerId).toBe(containerId);
	},
);

test("a full node, or a person who may have no more, gets room from what has been paused the longest", async () => {
	const { placements, containers } = await rig();
	const thirdId = "0b9c7a52-1111-4222-8333-999999999999";
	const all = (mostRunning?: number) =>
		[projectId, otherId, thirdId].map((id) =>
			placement({ projectId: id, owner: { id: "o", name: "Owner", mostRunning } }),
		);
	const states = () => [projectId, otherId, thirdId].map((id) => placements.life(id).state);
	await placements.apply(all().slice(0, 2));
	await placements.pause(otherId);
	await placements.pause(projectId);
	await placements.apply(all());
	expect(states()).toEqual(["paused", "stopped", "running"]);
	await placements.ensureRunning(otherId);
	expect(states()).toEqual(["stopped", "running", "running"]);
	await expect(placements.ensureRunning(projectId)).rejects.toMatchObject({ code: "no_node" });

	await placements.stop(thirdId);
	await placements.apply(all(1));
	await expect(placements.ensureRunning(projectId)).rejects.toMatchObject({ code: "limit_reached" });
	await placements.pause(otherId);
	await placements.ensureRunning(projectId);
	expect(states()).toEqual(["running", "stopped", "stopped"]);
	expect([...containers.values()].filter(({ state }) => state === "running")).toHaveLength(1);
	// Another person's, and one that its owner stops in the same moment, take nobody's place.
	const stranger = placement({ projectId: thirdId, owner: { id: "p", name: "Else", mostRunning: 1 } });
	const [first, second] = all(1) as [DesiredPlacement, DesiredPlacement];
	await placements.apply([{ ...first, want: "stopped", wantVersion: 2 }, { ...second, wantVersion: 2 }, stranger]);
	await placements.ensureRunning(thirdId);
	expect(states()).toEqual(["stopped", "running", "running"]);
});

test("a node that is full starts no further container until one ends", async () => {
	const { placements, containers } = await rig();
	const third = "0b9c7a52-1111-4222-8333-999999999999";
	await placements.apply([placement(), placement({ projectId: otherId }), placement({ projectId: third })]);
	const states = [projectId, otherId, third].map((id) => placements.life(id).state).sort();
	expect(states).toEqual(["failed", "running", "running"]);
	expect(containers.size).toBe(2);
	const waiting = [projectId, otherId, third].find((id) => placements.life(id).state === "failed") ?? "";
	await expect(placements.ensureRunning(waiting)).rejects.toMatchObject({ code: "no_node" });
	await placements.stop(waiting === projectId ? otherId : projectId);
	await placements.ensureRunning(waiting);
	expect(placements.life(waiting).state).toBe("running");
});

test("a paused container goes on when somebody needs it, or opens the project anew", async () => {
	const { placements, containers, created } = await rig();
	await placements.apply([placement()]);
	await placements.pause(projectId);
	expect(placements.life(projectId).state).toBe("paused");
	expect(placements.running(projectId)).toBeUndefined();
	expect(placements.present(projectId)?.containerId).toBe("c1");
	// The same want again wakes nothing.
	await placements.apply([placement()]);
	expect(placements.life(projectId).state).toBe("paused");
	await Promise.all([placements.ensureRunning(projectId), placements.ensureRunning(projectId)]);
	expect(placements.running(projectId)?.containerId).toBe("c1");
	await placements.pause(projectId);
	await placements.apply([placement({ wantVersion: 2 })]);
	expect(placements.life(projectId).state).toBe("running");
	expect(containers.get("c1")?.state).toBe("running");
	expect(created()).toBe(1);
});

test("whoever needs a container in the moment in which it is paused gets it running", async () => {
	const { placements, containers, before } = await rig();
	await placements.apply([placement()]);
	const held = hold();
	before.pause = held.wait;
	const paused = placements.pause(projectId);
	await held.reached;
	const needed = placements.ensureRunning(projectId);
	held.open();
	await Promise.all([paused, needed]);
	expect(containers.get("c1")?.state).toBe("running");
	expect(placements.life(projectId).state).toBe("running");
});

test("a container that the engine cannot pause runs on", async () => {
	const { placements, before } = await rig();
	await placements.apply([placement()]);
	before.pause = () => Promise.reject(new Error("it does not freeze"));
	await expect(placements.pause(projectId)).rejects.toThrow("freeze");
	expect(placements.running(projectId)?.containerId).toBe("c1");
});

test("a paused container is stopped, and ends by itself, like one that runs", async () => {
	const { placements, containers, end } = await rig();
	await placements.apply([placement()]);
	await placements.pause(projectId);
	await placements.apply([placement({ want: "stopped", wantVersion: 2 })]);
	expect(containers.size).toBe(0);
	await placements.apply([placement({ wantVersion: 3 })]);
	await placements.pause(projectId);
	end("c2");
	await placements.containerEnded(projectId, "c2");
	expect(placements.life(projectId).state).toBe("stopped");
});

test("work for which programs stand still has them paused, goes on whatever becomes of it, and nobody wakes or stops them meanwhile", async () => {
	const { placements, containers, before } = await rig();
	await placements.apply([placement()]);
	const states = () => [...containers.values()].map(({ state }) => state);
	const held = hold();
	const still = placements.standStill(projectId, async () => {
		await held.wait();
		return states();
	});
	await held.reached;
	// To everybody else it runs; what would change that waits for its turn.
	expect(placements.life(projectId).state).toBe("running");
	const paused = placements.pause(projectId);
	held.open();
	expect(await still).toEqual(["paused"]);
	await paused;
	// What sleeps is left asleep.
	expect(await placements.standStill(projectId, async () => states())).toEqual(["paused"]);
	expect(placements.life(projectId).state).toBe("paused");
	await placements.ensureRunning(projectId);
	await expect(placements.standStill(projectId, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
	expect(states()).toEqual(["running"]);
	before.pause = () => Promise.reject(new Error("the engine refuses"));
	let done = false;
	const refused = placements.standStill(projectId, async () => {
		done = true;
	});
	await expect(refused).rejects.toThrow("the engine refuses");
	expect(done).toBe(false);
});
