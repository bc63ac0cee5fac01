import { expect, test } from "vitest";
import { type ContainerMove, moveContainer, stoppedLife } from "../../src/placements/container-life.ts";
import { createQueues } from "../../src/placements/queues.ts";

const problem = { code: "container_failed" as const, status: 502, detail: "It could not be started." };

test("a container lives through its states and no others", () => {
	const starting = moveContainer(stoppedLife, { kind: "start" });
	const running = moveContainer(starting, { kind: "started", containerId: "c1" });
	expect(running).toEqual({ state: "running", containerId: "c1", problem: null });
	expect(moveContainer(running, { kind: "gone" })).toEqual(stoppedLife);
	const failed = moveContainer(starting, { kind: "failed", problem });
	expect(failed.problem).toEqual(problem);
	expect(moveContainer(failed, { kind: "start" }).problem).toBeNull();
	const paused = moveContainer(running, { kind: "pause" });
	expect(paused).toEqual({ state: "paused", containerId: "c1", problem: null });
	expect(moveContainer(paused, { kind: "resume" })).toEqual(running);
	expect(moveContainer(paused, { kind: "stop" }).state).toBe("stopping");
	expect(moveContainer(paused, { kind: "gone" })).toEqual(stoppedLife);
	expect(() => moveContainer(paused, { kind: "started", containerId: "c2" })).toThrow("cannot take the move");
	const illegal: ContainerMove[] = [
		{ kind: "start" },
		{ kind: "started", containerId: "c2" },
		{ kind: "failed", problem },
		{ kind: "resume" },
	];
	for (const move of illegal) expect(() => moveContainer(running, move)).toThrow("cannot take the move");
});

test("work of one project waits for its turn, that of others does not", async () => {
	const queues = createQueues();
	const order: string[] = [];
	const gate = Promise.withResolvers<void>();
	const first = queues.run("a", async () => {
		await gate.promise;
		order.push("a1");
	});
	const second = queues.run("a", async () => void order.push("a2"));
	await queues.run("b", async () => void order.push("b1"));
	gate.resolve();
	await Promise.all([first, second]);
	expect(order).toEqual(["b1", "a1", "a2"]);
	await expect(queues.run("a", () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
	expect(await queues.run("a", async () => "goes on")).toBe("goes on");
});
