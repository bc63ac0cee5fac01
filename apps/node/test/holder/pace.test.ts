import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createFlow } from "../../src/holder/flow.ts";
import { createPace, type Pace } from "../../src/holder/pace.ts";
import { createPaces } from "../../src/holder/paces.ts";
import type { Viewer } from "../../src/holder/viewer.ts";

beforeEach(() => {
	vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});

afterEach(() => {
	// A pace that nobody waits for keeps no timer.
	expect(vi.getTimerCount()).toBe(0);
	vi.useRealTimers();
});

const megabyte = 1024 * 1024;
const burstBytes = 2 * megabyte;
const rate = 256 * 1024;

/** A viewer that is owed so much, and takes what it gets. */
function viewer(pace: Pace, owedBytes: number) {
	const seen = {
		owed: owedBytes,
		got: 0,
		print(bytes: number) {
			seen.owed += bytes;
			pump();
		},
		leave: () => pace.leave(pump),
	};
	function pump(): void {
		while (seen.owed > 0) {
			const bytes = pace.ask(pump, seen.owed);
			if (bytes === 0) return;
			pace.sent(bytes);
			seen.owed -= bytes;
			seen.got += bytes;
		}
	}
	pace.enter(pump);
	pump();
	return seen;
}

function paced(bytesPerSecond: number | null, onWait = () => {}): Pace {
	const pace = createPace(onWait);
	pace.setRate(bytesPerSecond);
	return pace;
}

test("what people read comes at once, a flood at its pace, and all of it", () => {
	const pace = paced(rate);
	const reader = viewer(pace, burstBytes);
	expect(reader.got).toBe(burstBytes);
	vi.advanceTimersByTime(60_000);
	const flood = viewer(pace, burstBytes + 5 * rate);
	expect(flood.got).toBe(burstBytes);
	vi.advanceTimersByTime(2_000);
	expect(flood.got - burstBytes).toBeGreaterThan(1.8 * rate);
	expect(flood.got - burstBytes).toBeLessThan(2.2 * rate);
	vi.advanceTimersByTime(4_000);
	expect(flood.owed).toBe(0);
	expect(pace.sentBytes).toBe(2 * burstBytes + 5 * rate);
});

test("without a pace everything comes at once", () => {
	expect(viewer(paced(null), 100 * megabyte).owed).toBe(0);
});

test("an echo does not wait behind a flood, and many of them do not make a way around the pace", () => {
	const pace = paced(rate);
	const flood = viewer(pace, 20 * megabyte);
	vi.advanceTimersByTime(1_000);
	const typist = viewer(pace, 0);
	typist.print(50);
	expect(typist.owed).toBe(0);
	const before = pace.sentBytes;
	const dribblers = Array.from({ length: 40 }, () => viewer(pace, 0));
	for (let ms = 0; ms < 4_000; ms += 10) {
		for (const dribbler of dribblers) dribbler.print(1_000);
		vi.advanceTimersByTime(10);
	}
	expect(pace.sentBytes - before).toBeLessThan(4.4 * rate + 128 * 1024);
	expect(flood.owed).toBeGreaterThan(0);
	for (const each of [flood, ...dribblers]) each.leave();
});

test("a hundred viewers of one project get the same, however late they came", () => {
	const pace = paced(64 * 1024);
	const first = viewer(pace, 20 * megabyte);
	const others = Array.from({ length: 99 }, () => viewer(pace, megabyte));
	const before = first.got;
	vi.advanceTimersByTime(100_000);
	const shares = [first.got - before, ...others.map(({ got }) => got)];
	expect(Math.min(...shares)).toBeGreaterThan(0.8 * Math.max(...shares));
	for (const each of [first, ...others]) each.leave();
});

test("who prints more often has no more turns", () => {
	const pace = paced(64 * 1024);
	const quiet = viewer(pace, 10 * megabyte);
	const restless = viewer(pace, 10 * megabyte);
	const before = [quiet.got, restless.got];
	for (let ms = 0; ms < 20_000; ms += 5) {
		restless.print(10);
		vi.advanceTimersByTime(5);
	}
	const [one = 0, other = 0] = [quiet, restless].map(({ got }, index) => got - (before[index] ?? 0));
	expect(other).toBeLessThan(1.2 * one);
	for (const each of [quiet, restless]) each.leave();
});

test("a new pace is in force at once for who waits, and never below what a person can work with", () => {
	const pace = paced(1);
	const flood = viewer(pace, burstBytes + 10 * megabyte);
	vi.advanceTimersByTime(10_000);
	expect(flood.got - burstBytes).toBeGreaterThan(9 * 64 * 1024);
	// It would have to wait a second for what was sent ahead of its time.
	pace.sent(64 * 1024);
	vi.advanceTimersByTime(50);
	const before = flood.got;
	pace.setRate(4 * megabyte);
	vi.advanceTimersByTime(200);
	expect(flood.got - before).toBeGreaterThan(0.5 * megabyte);
	pace.setRate(null);
	vi.advanceTimersByTime(100);
	expect(flood.owed).toBe(0);
});

test("whose turn is long in coming does not count as a page that hangs", () => {
	const viewer = { acknowledged: 0, progressedAtMs: performance.now(), waitsForPace: true, stalled: false } as Viewer;
	const viewers = new Set([viewer]);
	const flow = createFlow({ viewers, end: () => 1024 * 1024, pause: () => undefined, resume: () => undefined });
	flow.update();
	vi.advanceTimersByTime(60_000);
	expect([flow.paused, viewer.stalled]).toEqual([true, false]);
	Object.assign(viewer, { waitsForPace: false });
	vi.advanceTimersByTime(10_000);
	expect([flow.paused, viewer.stalled]).toEqual([false, true]);
	flow.dispose();
});

test("it is told once that a project waits, and for a moment afterwards", () => {
	const onWait = vi.fn();
	const pace = paced(rate, onWait);
	const flood = viewer(pace, burstBytes + rate);
	expect(onWait).toHaveBeenCalledTimes(1);
	vi.advanceTimersByTime(1_200);
	expect([flood.owed, pace.hadToWait]).toEqual([0, true]);
	flood.print(rate);
	expect(onWait).toHaveBeenCalledTimes(1);
	vi.advanceTimersByTime(4_000);
	expect([flood.owed, pace.hadToWait]).toEqual([0, false]);
	flood.print(burstBytes);
	expect(onWait).toHaveBeenCalledTimes(2);
	vi.advanceTimersByTime(10_000);
	expect(flood.owed).toBe(0);
});

test("projects have paces and counts of their own, which are forgotten a day after their last byte", () => {
	const waits: string[] = [];
	const paces = createPaces((projectId) => waits.push(projectId));
	paces.set({ bytesPerSecond: rate, projects: { a: 100 * megabyte } });
	const [a, b] = ["a", "b"].map((projectId) => viewer(paces.of(projectId), 4 * megabyte));
	vi.advanceTimersByTime(500);
	expect([a?.owed, waits]).toEqual([0, ["a", "b"]]);
	expect(b?.got).toBeLessThan(burstBytes + rate);
	paces.set({ bytesPerSecond: null, projects: {} });
	vi.advanceTimersByTime(100);
	expect(paces.counts()).toMatchObject(["a", "b"].map((projectId) => ({ projectId, sentBytes: 4 * megabyte })));
	a?.leave();
	const [count] = paces.counts();
	vi.advanceTimersByTime(25 * 3_600_000);
	expect(paces.counts().map(({ projectId }) => projectId)).toEqual(["b"]);
	viewer(paces.of("a"), 10).leave();
	expect(paces.counts()[1]).toMatchObject({ projectId: "a", sentBytes: 10 });
	expect(paces.counts()[1]?.count).not.toBe(count?.count);
});
