import type { Activity, ContainerState, DesiredPlacement } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import { expect, test } from "vitest";
import type { RunningContainer } from "../../src/placements/containers.ts";
import { createSleep, type SleepOptions } from "../../src/sleep/sleep.ts";

const projectId = "0b9c7a52-1111-4222-8333-444455556666";

/** One project whose container a test watches; `check` lets as much time pass as makes it fall asleep. */
function rig(times: SleepOptions["times"] = { pauseAfterMs: 100, stopAfterMs: null }) {
	const steps: string[] = [];
	const world = {
		state: "running" as ContainerState,
		alwaysOn: false,
		connections: 0,
		activity: { projects: {} } as Activity,
		beforeActivity: async () => {},
		beforePause: async () => {},
		edgeIsThere: true,
		nowMs: 0,
	};
	const note = (step: string, state: ContainerState) => {
		steps.push(step);
		world.state = state;
	};
	const sleep = createSleep({
		placements: {
			projects: () => [projectId],
			find: () => ({ alwaysOn: world.alwaysOn }) as DesiredPlacement,
			life: () => ({ state: world.state, containerId: null, problem: null }),
			present: () => (["running", "paused"].includes(world.state) ? ({} as RunningContainer) : undefined),
			async ensureRunning() {
				if (world.state !== "running") note("wake", "running");
				return {} as RunningContainer;
			},
			async pause() {
				await world.beforePause();
				note("pause", "paused");
			},
			stop: async () => note("stop", "stopped"),
		},
		times,
		async activity(project) {
			if (!world.edgeIsThere) throw new Error("no edge");
			// Only the second look, after the edge was told, is for one project.
			if (project) await world.beforeActivity();
			return world.activity;
		},
		connections: () => world.connections,
		async announce() {
			steps.push(sleep.isFallingAsleep(projectId) ? "visits ask" : "visits pass");
		},
		now: () => world.nowMs,
		log: createLog("test", "silent"),
	});
	async function check() {
		await sleep.check();
		world.nowMs += 100;
		await sleep.check();
	}
	return { sleep, check, world, steps };
}

test("visits have to ask before the container is paused, and pass by the route again after it", async () => {
	const { check, steps } = rig();
	await check();
	expect(steps).toEqual(["visits ask", "pause", "visits pass"]);
});

test("a visit that slipped in while the edge was told keeps the container running", async () => {
	const { check, world, steps } = rig();
	world.beforeActivity = async () => {
		world.activity = { projects: { [projectId]: { active: true, idleMs: null } } };
	};
	await check();
	expect(world.state).toBe("running");
	expect(steps).toEqual(["visits ask", "visits pass"]);
});

test("a visitor who asks while it falls asleep is kept waiting no longer than that takes", async () => {
	const early = rig();
	let disturbed: Promise<void> | undefined;
	early.world.beforeActivity = async () => {
		disturbed = early.sleep.disturb(projectId);
	};
	await early.check();
	await disturbed;
	expect(early.steps).toEqual(["visits ask", "visits pass"]);

	const late = rig();
	late.world.beforePause = async () => {
		disturbed = late.sleep.disturb(projectId);
	};
	await late.check();
	await disturbed;
	expect(late.world.state).toBe("paused");
	expect(late.sleep.isFallingAsleep(projectId)).toBe(false);
});

test("a page that connects while it falls asleep, or after, wakes it", async () => {
	const { check, sleep, world, steps } = rig();
	world.beforePause = async () => {
		world.connections = 1;
	};
	await check();
	await expect.poll(() => world.state).toBe("running");
	expect(steps).toEqual(["visits ask", "pause", "visits pass", "wake"]);
	world.state = "paused";
	sleep.attend(projectId);
	await expect.poll(() => world.state).toBe("running");
});

test("nothing falls asleep while the edge cannot say who visits", async () => {
	const { check, world, steps } = rig();
	world.edgeIsThere = false;
	await check();
	expect(steps).toEqual([]);
});

test("what is always on stays awake, and is woken when the right comes while it sleeps", async () => {
	const { check, world, steps } = rig({ pauseAfterMs: 100, stopAfterMs: 100 });
	world.alwaysOn = true;
	await check();
	expect(steps).toEqual([]);
	world.state = "paused";
	await check();
	expect(steps).toEqual(["wake"]);
});

test("a paused container is stopped in the end", async () => {
	const { check, world } = rig({ pauseAfterMs: 100, stopAfterMs: 150 });
	await check();
	expect(world.state).toBe("paused");
	await check();
	expect(world.state).toBe("stopped");
});
