import type { ClusterRoutes, DesiredPlacement, OpenPort, Route, RouteEntry } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { ClusterTable } from "./cluster-routes.ts";
import type { Edge } from "./host.ts";
import type { Placements } from "./placements/placements.ts";

/** Keeps the edge's routes in step with placements and open ports. */
export interface Routes {
	/** Sends the full table. Call once, before the first change. */
	publish(): Promise<void>;
	/** Something of this project changed: slug, visibility, container or ports. */
	update(projectId: string): void;
	setPorts(projectId: string, ports: readonly OpenPort[]): void;
	/** The site says which projects are on other nodes. */
	setElsewhere(routes: ClusterRoutes): void;
	/** What edges of the cluster prove themselves to each other with. */
	setHopSecret(secret: string): void;
}

/** @param options.cluster projects of other nodes, as last told. One that is here too is answered from here. */
export function createRoutes(options: {
	edge: Edge;
	placements: Placements;
	cluster: ClusterTable;
	hopSecret: string | undefined;
	log: Logger;
}): Routes {
	const { edge, placements, cluster, log } = options;
	let { hopSecret } = options;
	const ports = new Map<string, readonly OpenPort[]>();
	/** Project id → the route as last sent. */
	const sent = new Map<string, Route>();
	// Rises over restarts of the agent as well, as long as the clock does not go back by more than the agent was up.
	let revision = Date.now();
	/** Until then changes need not be sent: the first table has them. */
	let published = false;

	function route(placement: DesiredPlacement): Route {
		const { projectId, slug, visibility } = placement;
		const container = placements.running(projectId);
		const visitable = container ? (ports.get(projectId) ?? []).filter(({ url }) => url !== null) : [];
		return {
			slug,
			projectId,
			address: container?.address ?? null,
			ports: visitable.map(({ port }) => port),
			mainPort: visitable.find(({ main }) => main)?.port ?? null,
			visibility,
			state: placements.life(projectId).state,
		};
	}

	function isHere(slug: string): boolean {
		return [...sent.values()].some((present) => present.slug === slug);
	}

	/** Takes a slug away, unless it is another node's project's now. */
	function leave(slug: string): { set: RouteEntry[]; removed: string[] } {
		const elsewhere = cluster.find(slug);
		return elsewhere ? { set: [elsewhere], removed: [] } : { set: [], removed: [slug] };
	}

	async function publish(): Promise<void> {
		revision = Math.max(revision + 1, Date.now());
		const here = new Set([...sent.values()].map(({ slug }) => slug));
		const elsewhere = cluster.list().filter(({ slug }) => !here.has(slug));
		await edge.replaceRoutes({
			revision,
			routes: [...sent.values(), ...elsewhere],
			...(hopSecret ? { hopSecret } : {}),
		});
	}

	function publishAgain() {
		if (!published) return;
		publish().catch((error: unknown) => log.error({ err: error }, "the edge did not take the routes"));
	}

	function send(set: RouteEntry[], removed: string[]) {
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
			await publish();
		},

		update(projectId) {
			if (!published) return;
			const before = sent.get(projectId);
			const placement = placements.find(projectId);
			if (!placement || placement.want === "purged") {
				if (!before) return;
				sent.delete(projectId);
				ports.delete(projectId);
				const { set, removed } = leave(before.slug);
				return send(set, removed);
			}
			const now = route(placement);
			if (before && JSON.stringify(before) === JSON.stringify(now)) return;
			sent.set(projectId, now);
			// An old slug may already be another project's.
			const oldSlug = before && before.slug !== now.slug ? before.slug : undefined;
			const left = oldSlug && !isHere(oldSlug) ? leave(oldSlug) : { set: [], removed: [] };
			send([now, ...left.set], left.removed);
		},

		setPorts(projectId, open) {
			ports.set(projectId, open);
			this.update(projectId);
		},

		setElsewhere(routes) {
			cluster.apply(routes);
			if (routes.whole) return publishAgain();
			if (!published) return;
			const here = new Set([...sent.values()].map(({ slug }) => slug));
			const set = routes.set.filter(({ slug }) => !here.has(slug));
			const removed = routes.removed.filter((slug) => !here.has(slug));
			if (set.length + removed.length > 0) send(set, removed);
		},

		setHopSecret(secret) {
			if (secret === hopSecret) return;
			hopSecret = secret;
			publishAgain();
		},
	};
}
