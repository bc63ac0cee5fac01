import { expect, test } from "vitest";
import { lastLines } from "../../src/sleep/last-lines.ts";
import { createUseWatch, sleepStep } from "../../src/sleep/use-watch.ts";

const unused = { connections: 0, visits: undefined };
const visited = (active: boolean, idleMs: number | null) => ({ connections: 0, visits: { active, idleMs } });

test("a container is paused, later stopped, and nothing that is switched off", () => {
	const times = { pauseAfterMs: 100, stopAfterMs: 300 };
	expect(sleepStep("running", 99, times)).toBeNull();
	expect(sleepStep("running", 100, times)).toBe("pause");
	expect(sleepStep("paused", 299, times)).toBeNull();
	expect(sleepStep("paused", 300, times)).toBe("stop");
	expect(sleepStep("running", 300, { ...times, pauseAfterMs: null })).toBe("stop");
	expect(sleepStep("running", 1e9, { ...times, stopAfterMs: null })).toBe("pause");
	expect(sleepStep("running", 1e9, { pauseAfterMs: null, stopAfterMs: null })).toBeNull();
	for (const state of ["stopped", "starting", "stopping", "failed"] as const) {
		expect(sleepStep(state, 1e9, times)).toBeNull();
	}
});

test("whoever has it open or is being answered uses it; a visit that ended counts from its end", () => {
	let now = 1_000;
	const watch = createUseWatch(() => now);
	expect(watch.look("p", "running", unused)).toBe(0);
	now += 90;
	expect(watch.look("p", "running", unused)).toBe(90);
	expect(watch.look("p", "running", { ...unused, connections: 1 })).toBe(0);
	now += 90;
	expect(watch.look("p", "running", visited(true, null))).toBe(0);
	now += 90;
	expect(watch.look("p", "running", visited(false, 40))).toBe(40);
	// The edge was restarted and has forgotten: what was known stays known.
	now += 10;
	expect(watch.look("p", "running", visited(false, null))).toBe(50);
	expect(watch.look("p", "running", visited(false, 5_000))).toBe(50);
});

test("a program of somebody who is not connected wakes it for the whole time", () => {
	let now = 0;
	const watch = createUseWatch(() => now);
	watch.look("p", "running", unused);
	now = 500;
	expect(watch.look("p", "paused", unused)).toBe(500);
	expect(watch.look("p", "running", unused)).toBe(0);
	now = 505;
	expect(watch.look("p", "running", unused)).toBe(5);
	watch.use("p");
	expect(watch.look("p", "running", unused)).toBe(0);
	now = 510;
	watch.keepOnly(() => false);
	expect(watch.look("p", "running", unused)).toBe(0);
});

test("the last lines of a terminal are plain text", () => {
	const output =
		"old\r\n\u001b[1;31mred\u001b[0m line\r\n 10 %\r 20 %\r\ntab\there\u0007\r\n\u001b]0;title\u0007end  \r\n\r\n";
	expect(lastLines(output, 4)).toEqual(["red line", " 20 %", "tab  here", "end"]);
	expect(lastLines("", 40)).toEqual([]);
	expect(lastLines("x".repeat(10_000), 1)[0]?.length).toBe(300);
});
