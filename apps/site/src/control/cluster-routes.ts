import type { ClusterRoutes, Elsewhere } from "@repldock/protocol";
import type { PlacedRoute } from "../store/cluster-routes.ts";

/**
 * What one node is to be told of the others' projects: all at first, later what changed since it was last told.
 * @returns a function that takes the whole cluster's table and gives what to send, null when nothing changed.
 */
export function createRouteDifference(nodeId: string): (placed: readonly PlacedRoute[]) => ClusterRoutes | null {
	let told: Map<string, Elsewhere> | null = null;

	return (placed) => {
		const now = new Map<string, Elsewhere>();
		for (const { slug, projectId, peer, nodeId: owner } of placed) {
			if (owner !== nodeId) now.set(slug, { slug, projectId, peer });
		}
		const before = told;
		told = now;
		if (!before) return { whole: true, set: [...now.values()], removed: [] };
		const set = [...now.values()].filter((entry) => {
			const known = before.get(entry.slug);
			return known?.projectId !== entry.projectId || known.peer !== entry.peer;
		});
		const removed = [...before.keys()].filter((slug) => !now.has(slug));
		return set.length + removed.length > 0 ? { whole: false, set, removed } : null;
	};
}
