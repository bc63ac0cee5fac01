import type { TrafficSample } from "@repldock/protocol";
import { graphMs } from "./traffic-feed.ts";

/** The graph's own measures; it is stretched to its place. */
export const graphWidth = 600;
export const graphHeight = 160;

export type GraphShape = {
	/** SVG paths: sent within the floor, what is borrowed above it, and received. */
	used: string;
	borrowed: string;
	received: string;
	/** Where the floor's line is; null when there is no floor or it is above the picture. */
	floorY: number | null;
	/** What the top of the picture means. */
	topBitsPerSecond: number;
};

type Point = { x: number; y: number };

/** Draws the last five minutes. The scale follows what is seen, so that a quiet project's graph is no flat line. */
export function drawGraph(samples: readonly TrafficSample[], floorBitsPerSecond: number): GraphShape {
	const endMs = samples.at(-1)?.atMs ?? 0;
	const most = Math.max(1, ...samples.map((one) => Math.max(one.sentBitsPerSecond, one.receivedBitsPerSecond)));
	const topBitsPerSecond = roundUp(most * 1.1);
	const x = (atMs: number) => graphWidth - ((endMs - atMs) / graphMs) * graphWidth;
	const y = (bits: number) => graphHeight - (Math.min(bits, topBitsPerSecond) / topBitsPerSecond) * graphHeight;
	const line = (value: (sample: TrafficSample) => number): Point[] =>
		samples.map((sample) => ({ x: x(sample.atMs), y: y(value(sample)) }));
	const floor = floorBitsPerSecond > 0 ? floorBitsPerSecond : Number.POSITIVE_INFINITY;
	const used = line((sample) => Math.min(sample.sentBitsPerSecond, floor));
	const sent = line((sample) => sample.sentBitsPerSecond);
	return {
		used: area(
			used,
			used.map((point) => ({ ...point, y: graphHeight })),
		),
		borrowed: area(sent, used),
		received: path(line((sample) => sample.receivedBitsPerSecond)),
		floorY: floor <= topBitsPerSecond ? y(floor) : null,
		topBitsPerSecond,
	};
}

/** 1, 2 or 5 times a power of ten. */
function roundUp(value: number): number {
	const power = 10 ** Math.floor(Math.log10(value));
	return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

function path(points: readonly Point[]): string {
	return points.map(({ x, y }, index) => `${index === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

function area(upper: readonly Point[], lower: readonly Point[]): string {
	if (upper.length === 0) return "";
	return `${path([...upper, ...lower.toReversed()])}Z`;
}
