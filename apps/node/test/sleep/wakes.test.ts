import { type ContainerState, type DesiredPlacement, RepldockError } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import { expect, test } from "vitest";
import type { RunningContainer } from "../../src/placements/containers.ts";
import { createWakes } from "../../src/sleep/wakes.ts";
import type { Workspace } from "../../src/workspace/workspace.ts";

const projectId = "0b9c7a52-1111-4222-8333-444455556666";

/** One project; the test opens its ports and ends its program. */
function rig(options: { wakeTimeoutMs?: number; backoffMs?: number } = {}) {
	const world = {
		state: "stopped" as ContainerState,
		want: "running" as DesiredPlacement["want"],
		alwaysOn: false,
		falling: false,
		main: null as number | null,
		open: [] as number[],
		console: undefined as { running: boolean; startedAtMs: number | null; exitCode: number | null } | undefined,
		resumed: 0,
		runs: 0,
		run: async () => {},
		closely: 0,
	};
	const wakes = createWakes({
		placements: {
			projects: () => [projectId],
			find: () => ({ want: world.want, alwaysOn: world.alwaysOn }) as DesiredPlacement,
			life: () => ({ state: world.state, containerId: null, problem: null }),
			async ensureRunning() {
				world.resumed += 1;
				world.state = "running";
				return {} as RunningContainer;
			},
		},
		sleep: {
			isFallingAsleep: () => world.falling,
			async disturb() {
				world.falling = false;
			},
		},
		workspaces: {
			async open() {
				const watchPortsClosely = () => {
					world.closely += 1;
					return () => {
						world.closely -= 1;
					};
				};
				return { watchPortsClosely } as Workspace;
			},
		},
		runner: {
			async run() {
				world.runs += 1;
				await world.run();
				world.state = "running";
				world.console = { running: true, startedAtMs: world.runs, exitCode: null };
				return { ptyId: "console", command: "", warnings: [] };
			},
		},
		console: { state: () => world.console, tail: async () => "\u001b[31mboom\u001b[0m\r\n" },
		ports: () => ({ main: world.main, open: world.open }),
		announce: async () => {},
		wakeTimeoutMs: options.wakeTimeoutMs ?? 10_000,
		...(options.backoffMs === undefined ? {} : { backoffMs: options.backoffMs }),
		log: createLog("test", "silent"),
	});
	const listen = (main: number, ...others: number[]) => {
		world.main = main;
		world.open = [main, ...others];
		wakes.changed(projectId);
	};
	const end = (exitCode: number) => {
		world.console = { running: false, startedAtMs: world.runs, exitCode };
		wakes.changed(projectId);
	};
	const visit = (timeoutMs = 10_000, port: number | null = null) => wakes.wake(projectId, { port, timeoutMs });
	const running = () => expect.poll(() => world.console?.running).toBe(true);
	return { wakes, world, listen, end, visit, running };
}

test("a crowd of visits of a stopped project starts it once and waits until the main port listens", async () => {
	const { wakes, world, listen, visit, running } = rig();
	expect(wakes.needed(projectId)).toBe(true);
	const crowd = Array.from({ length: 50 }, () => visit());
	await running();
	expect(wakes.needed(projectId)).toBe(true);
	expect(world.closely).toBe(1);
	listen(3000);
	expect(new Set((await Promise.all(crowd)).map(({ kind }) => kind))).toEqual(new Set(["awake"]));
	expect(world.runs).toBe(1);
	expect(wakes.needed(projectId)).toBe(false);
	expect(world.closely).toBe(0);
});

test("a paused project only goes on: its run command is not started again", async () => {
	const { wakes, world, visit } = rig();
	world.state = "paused";
	const answers = await Promise.all([visit(), visit(), visit(10_000, 9_999)]);
	expect(answers.map(({ kind }) => kind)).toEqual(["awake", "awake", "awake"]);
	expect(world).toMatchObject({ resumed: 1, runs: 0 });
	expect(wakes.needed(projectId)).toBe(false);
});

test("a browser is told that it takes longer, while a program waits on", async () => {
	const { listen, visit, running } = rig();
	const program = visit();
	await running();
	expect(await visit(5)).toEqual({ kind: "waking" });
	listen(3000);
	expect(await program).toEqual({ kind: "awake" });
});

test("a visit of another port waits for that one", async () => {
	const { world, listen, visit, running } = rig();
	let answered = false;
	const other = visit(10_000, 4000).then((outcome) => {
		answered = true;
		return outcome;
	});
	await running();
	const main = visit();
	listen(3000);
	await main;
	expect(answered).toBe(false);
	listen(3000, 4000);
	expect(await other).toEqual({ kind: "awake" });
	expect(world.runs).toBe(1);
});

test("a run command that ends is not started again at once, and tells its last lines", async () => {
	const { wakes, world, end, listen, visit, running } = rig({ backoffMs: 60 });
	const first = visit();
	await running();
	end(3);
	const outcome = await first;
	expect(outcome).toMatchObject({ kind: "failed", failure: { exitCode: 3, lines: ["boom"] } });
	expect(wakes.needed(projectId)).toBe(true);
	expect(await visit()).toEqual(outcome);
	expect(world.runs).toBe(1);
	await expect
		.poll(() => {
			void visit();
			return world.runs;
		})
		.toBe(2);
	listen(3000);
	await expect.poll(() => wakes.needed(projectId)).toBe(false);
});

test("an earlier failure keeps nobody out once somebody has the project open", async () => {
	const { wakes, end, visit, running } = rig();
	const first = visit();
	await running();
	end(1);
	await first;
	wakes.forgive(projectId);
	expect(wakes.needed(projectId)).toBe(false);
	expect(await visit()).toEqual({ kind: "awake" });
});

test("a project that its owner stopped is not woken, and what starts in that moment does not count as a crash", async () => {
	const { wakes, world, visit } = rig();
	world.want = "stopped";
	expect(wakes.needed(projectId)).toBe(false);
	expect(await visit()).toEqual({ kind: "awake" });
	expect(world.runs).toBe(0);

	world.want = "running";
	world.run = async () => {
		Object.assign(world, { want: "stopped", state: "stopped" });
		throw new RepldockError("not_running", "It was stopped.");
	};
	expect(await visit()).toEqual({ kind: "awake" });
	world.want = "running";
	expect(wakes.needed(projectId)).toBe(true);
});

test("a server that is full says so; what has nothing to run, or runs already, is awake", async () => {
	const full = rig();
	full.world.run = () => Promise.reject(new RepldockError("no_node", "This server is full."));
	expect(await full.visit()).toMatchObject({ kind: "failed", failure: { code: "no_node", exitCode: null } });

	const nothing = rig();
	nothing.world.run = async () => {
		nothing.world.state = "running";
		throw new RepldockError("nothing_to_run", "There is nothing to run.");
	};
	expect(await nothing.visit()).toEqual({ kind: "awake" });

	const already = rig();
	// Its owner pressed Run in this moment.
	already.world.run = async () => {
		already.world.state = "running";
		already.world.console = { running: true, startedAtMs: 1, exitCode: null };
		throw new RepldockError("already_running", "It runs already.");
	};
	const visit = already.visit();
	await expect.poll(() => already.world.state).toBe("running");
	already.listen(3000);
	expect(await visit).toEqual({ kind: "awake" });
});

test("a visit in the moment in which the container ended waits for its program's end, and then starts it", async () => {
	const { wakes, world, listen, visit, running } = rig();
	world.console = { running: true, startedAtMs: 7, exitCode: null };
	const first = visit();
	await new Promise(setImmediate);
	expect(world.runs).toBe(0);
	world.console = { running: false, startedAtMs: 7, exitCode: 137 };
	wakes.changed(projectId);
	await running();
	listen(3000);
	expect(await first).toEqual({ kind: "awake" });
	expect(world.runs).toBe(1);
});

test("an app that never listens is given up after the time, and its page says the rest", async () => {
	const { wakes, visit } = rig({ wakeTimeoutMs: 20 });
	expect(await visit()).toEqual({ kind: "awake" });
	expect(wakes.needed(projectId)).toBe(false);
});

test("what is always on is started when it has no container, unless its owner stopped it", async () => {
	const { wakes, world, running } = rig();
	wakes.keepOn();
	world.alwaysOn = true;
	world.want = "stopped";
	wakes.keepOn();
	expect(wakes.isWaking(projectId)).toBe(false);
	world.want = "running";
	wakes.keepOn();
	wakes.keepOn();
	await running();
	expect(world.runs).toBe(1);
});
