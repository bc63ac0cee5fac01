import type { DesiredPlacement, OpenPort, Route } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { Edge } from "./host.ts";
import type { Placements } from "./placements/placements.ts";

/** Keeps the edge's routes in step with placements and open ports. */
export interface Routes {
	/** Sends the full table. Call once, before the first change. */
	publish(): Promise<void>;
	/** Something of this project changed: slug, visibility, container or ports. */
	update(projectId: string): void;
	setPorts(projectId: string, ports: readonly OpenPort[]): void;
}

export function createRoutes(options: { edge: Edge; placements: Placements; log: Logger }): Routes {
	const { edge, placements, log } = options;
	const ports = new Map<string, readonly OpenPort[]>();
	/** Project id → the route as last sent. */
	const sent = new Map<string, Route>();
	// Rises over restarts of the agent as well, as long as the clock does not go back by more than the agent was up.
	let revision = Date.now();
	/** Until then changes need not be sent: the first table has them. */
	let published = false;

	function route(placement: DesiredPlacement): Route {
		const { projectId, slug, domains, visibility } = placement;
		const container = placements.running(projectId);
		const visitable = container ? (ports.get(projectId) ?? []).filter(({ url }) => url !== null) : [];
		return {
			slug,
			domains,
			projectId,
			address: container?.address ?? null,
			ports: visitable.map(({ port }) => port),
			mainPort: visitable.find(({ main }) => main)?.port ?? null,
			visibility,
			state: placements.life(projectId).state,
		};
	}

	function send(set: Route[], removed: string[]) {
		revision += 1;
		edge
			.changeRoutes({ revision, set, removed })
			.catch((error: unknown) => log.error({ err: error }, "the edge did not take a change of routes"));
	}

	return {
		async publish() {
			sent.clear();
			for (const projectId of placements.projects()) {
				const placement = placements.find(projectId);
				if (placement) sent.set(projectId, route(placement));
			}
			published = true;
			revision = Math.max(revision + 1, Date.now());
			await edge.replaceRoutes({ revision, routes: [...sent.values()] });
		},

		update(projectId) {
			if (!published) return;
			const before = sent.get(projectId);
			const placement = placements.find(projectId);
			if (!placement || placement.want === "purged") {
				if (!before) return;
				sent.delete(projectId);
				ports.delete(projectId);
				return send([], [before.slug]);
			}
			const now = route(placement);
			if (before && JSON.stringify(before) === JSON.stringify(now)) return;
			sent.set(projectId, now);
			// An old slug may already be another project's.
			const oldSlug = before && before.slug !== now.slug ? before.slug : undefined;
			const taken = [...sent.values()].some(({ slug }) => slug === oldSlug);
			send([now], oldSlug && !taken ? [oldSlug] : []);
		},

		setPorts(projectId, open) {
			ports.set(projectId, open);
			this.update(projectId);
		},
	};
}
