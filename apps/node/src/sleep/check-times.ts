import type { NodeConfig } from "../config.ts";

/** How often containers are looked at for want of use, at most and at least; in between a part of the shortest time. */
const sleepCheckMs = { least: 250, most: 15_000 };

export function checkEveryMs({
	pauseAfterMs,
	idleTimeoutMs,
}: Pick<NodeConfig, "pauseAfterMs" | "idleTimeoutMs">): number {
	const shortestMs = Math.min(pauseAfterMs ?? Number.POSITIVE_INFINITY, idleTimeoutMs ?? Number.POSITIVE_INFINITY);
	return Math.min(sleepCheckMs.most, Math.max(sleepCheckMs.least, shortestMs / 8));
}
