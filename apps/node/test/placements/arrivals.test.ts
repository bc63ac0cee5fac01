import { expect, test } from "vitest";
import { createArrivals } from "../../src/placements/arrivals.ts";

test("who waits is let on by the news that makes the condition hold, and by no other", async () => {
	const arrivals = createArrivals();
	let version = 1;
	let settled = false;
	const waiting = arrivals
		.until("a", () => version >= 3, 10_000)
		.finally(() => {
			settled = true;
		});
	for (const next of [2, 3]) {
		await Promise.resolve();
		expect(settled).toBe(false);
		version = next;
		arrivals.tell("b");
		arrivals.tell("a");
	}
	expect(await waiting).toBe(true);
	expect(await arrivals.until("a", () => false, 1)).toBe(false);
});
