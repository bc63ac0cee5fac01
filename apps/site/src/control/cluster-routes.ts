import type { ClusterRoutes, Elsewhere } from "@repldock/protocol";
import type { PlacedRoute } from "../store/cluster-routes.ts";

/**
 * What one node is to be told of the others' projects: all at first, later what changed since it was last told.
 * @returns a function that takes the whole cluster's table and gives what to send, null when nothing changed.
 */
export function createRouteDifference(nodeId: string): (placed: readonly PlacedRoute[]) => ClusterRoutes | null {
	/** As text, since they are compared whole. */
	let told: Map<string, string> | null = null;

	return (placed) => {
		const now = new Map<string, string>();
		const set: Elsewhere[] = [];
		const before = told;
		for (const { nodeId: owner, ...entry } of placed) {
			if (owner === nodeId) continue;
			const text = JSON.stringify(entry);
			now.set(entry.slug, text);
			if (before?.get(entry.slug) !== text) set.push(entry);
		}
		told = now;
		if (!before) return { whole: true, set, removed: [] };
		const removed = [...before.keys()].filter((slug) => !now.has(slug));
		return set.length + removed.length > 0 ? { whole: false, set, removed } : null;
	};
}
