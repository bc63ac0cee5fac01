import { afterAll, beforeAll, expect, test } from "vitest";
import { type Rig, startRig } from "./rig.ts";

let rig: Rig;

beforeAll(async () => {
	rig = await startRig();
});

afterAll(() => rig.release());

test.each(["SIGTERM", "SIGKILL"] as const)(
	"after a holder's end by %s no program runs on unseen",
	async (signal) => {
		const project = await rig.project();
		const screen = await project.connect();
		await project.start("echo up; exec -a survivor sleep 666");
		await screen.untilText("up");
		await project.start("", {
			ptyId: "t1",
			kind: "terminal",
			command: ["/bin/bash", "-c", "trap '' TERM HUP; exec -a survivor sleep 777"],
		});
		await rig.restartHolder(signal);
		await screen.closed;
		expect(await project.processes("survivor")).toEqual([]);
		expect(await rig.client.list()).toEqual({ projects: [] });
		await project.start("echo again");
		await project.until(({ ptys }) => ptys[0]?.exitCode === 0);
	},
	30_000,
);

test.each(["SIGTERM", "SIGKILL"] as const)(
	"after a holder's end by %s paused containers keep no other up, and those with programs end",
	async (signal) => {
		const { engine } = rig.machine;
		const [busy, idle] = [await rig.project(), await rig.project()];
		const screen = await busy.connect();
		await busy.start("echo up; exec -a survivor sleep 666");
		await screen.untilText("up");
		for (const { container } of [busy, idle]) await engine.pauseContainer(container.id);
		const startedAtMs = performance.now();
		await rig.restartHolder(signal);
		expect(performance.now() - startedAtMs).toBeLessThan(10_000);
		expect((await engine.inspectContainer(busy.container.id))?.state).toBe("exited");
		expect((await engine.inspectContainer(idle.container.id))?.state).toBe("paused");
		expect(await rig.client.list()).toEqual({ projects: [] });
		await engine.unpauseContainer(idle.container.id);
	},
	60_000,
);

test("the agent's watch returns by itself, with a snapshot, when the holder was started anew", async () => {
	const watching = new AbortController();
	let snapshots = 0;
	let seen: (() => void) | undefined;
	rig.client.watch((event) => {
		if (event.type === "snapshot") snapshots += 1;
		seen?.();
	}, watching.signal);
	const untilSnapshots = (count: number) =>
		new Promise<void>((resolve) => {
			seen = () => snapshots >= count && resolve();
			seen();
		});
	await untilSnapshots(1);
	await rig.restartHolder("SIGTERM");
	await untilSnapshots(2);
	watching.abort();
});
