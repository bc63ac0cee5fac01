import type { WorkspaceCommand } from "@repldock/protocol";
import { expect, test } from "vitest";
import { describeBytes, describeRate } from "../../src/components/rates.ts";
import { drawGraph, graphHeight } from "../../src/ide/network/graph-shape.ts";
import { createTrafficFeed, graphMs } from "../../src/ide/network/traffic-feed.ts";

const sample = (atMs: number, sentBitsPerSecond = 0) => ({ atMs, sentBitsPerSecond, receivedBitsPerSecond: 0 });
const bounds = { floorBitsPerSecond: 100, ceilingBitsPerSecond: 1_000 };

test("traffic is asked for while somebody looks, and again on a new connection", () => {
	const commands: WorkspaceCommand[] = [];
	const feed = createTrafficFeed((command) => void commands.push(command));
	feed.connected();
	const [leave, leaveToo] = [feed.follow(), feed.follow()];
	feed.connected();
	leave();
	leave();
	expect(commands.map((command) => "follow" in command && command.follow)).toEqual([true, true]);
	leaveToo();
	expect(commands).toHaveLength(3);
	expect(commands.at(-1)).toEqual({ type: "followTraffic", follow: false });
});

test("a first batch replaces what is shown, later ones are added, and old samples and no details leave the rest", () => {
	const feed = createTrafficFeed(() => undefined);
	const details = { destinations: [], refused: [{ reason: "udp", packets: 2 }] };
	feed.event({ type: "traffic", reset: true, samples: [sample(1), sample(2)], ...bounds, details });
	feed.event({ type: "traffic", reset: false, samples: [sample(3)], ...bounds, details: null });
	expect(feed.state.get().samples.map(({ atMs }) => atMs)).toEqual([1, 2, 3]);
	expect(feed.state.get().details).toEqual(details);
	feed.event({ type: "traffic", reset: false, samples: [sample(graphMs + 3)], ...bounds, details: null });
	expect(feed.state.get().samples.map(({ atMs }) => atMs)).toEqual([3, graphMs + 3]);
	feed.event({ type: "traffic", reset: true, samples: [sample(9)], ...bounds, details: null });
	expect(feed.state.get().samples.map(({ atMs }) => atMs)).toEqual([9]);
});

test("the graph shows what is borrowed above the floor, and the floor's line where it is in the picture", () => {
	const shape = drawGraph([sample(0, 50), sample(1_000, 150)], 100);
	expect(shape.topBitsPerSecond).toBe(200);
	expect(shape.floorY).toBe(graphHeight / 2);
	expect(shape.used).toContain(`${graphHeight / 2}.0`);
	expect(shape.borrowed).toContain(`${graphHeight / 4}.0`);
	expect(drawGraph([sample(0, 5)], 100).floorY).toBeNull();
	expect(drawGraph([sample(0, 5)], 0).floorY).toBeNull();
	expect(drawGraph([], 100)).toMatchObject({ used: "", borrowed: "", received: "" });
});

test("figures are short, and never say 1000 of a smaller unit", () => {
	expect([0, 640, 999.7, 1_500, 9_960, 2e6, 1e9].map(describeRate)).toEqual([
		"0 bit/s",
		"640 bit/s",
		"1.0 kbit/s",
		"1.5 kbit/s",
		"10 kbit/s",
		"2.0 Mbit/s",
		"1.0 Gbit/s",
	]);
	expect(describeBytes(91_700_000)).toBe("92 MB");
});
