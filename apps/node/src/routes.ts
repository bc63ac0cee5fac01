import {
	type ClusterRoutes,
	type DesiredPlacement,
	isDeparting,
	type OpenPort,
	type Route,
	type RouteEntry,
} from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { ClusterTable } from "./cluster-routes.ts";
import type { Edge } from "./host.ts";
import type { Placements } from "./placements/placements.ts";

/** `unsure`: the site has not said yet since this agent started, or the route is only about to be sent. */
export type SlugKnowledge = "known" | "unknown" | "unsure";

/** Keeps the edge's routes in step with placements and open ports. */
export interface Routes {
	/** Sends the full table. Call once, before the first change. */
	publish(): Promise<void>;
	/** Something of this project changed: slug, visibility, container or ports. */
	update(projectId: string): void;
	setPorts(projectId: string, ports: readonly OpenPort[]): void;
	/** Ports that visitors may ask for while the container runs, and the container's port that none means. */
	ports(projectId: string): { main: number | null; open: readonly number[] };
	/** Settles when the edge has all that was changed up to now, or cannot be reached. */
	delivered(): Promise<void>;
	/** What is known of a slug that the edge does not have; routes that were on their way to it have arrived by then. */
	lookUp(slug: string): Promise<SlugKnowledge>;
	/** The site says which projects are on other nodes. */
	setElsewhere(routes: ClusterRoutes): void;
	/** What edges of the cluster prove themselves to each other with. */
	setHopSecret(secret: string): void;
}

/** @param options.cluster projects of other nodes, as last told. One that is here too is answered from here. */
export function createRoutes(options: {
	edge: Pick<Edge, "replaceRoutes" | "changeRoutes">;
	placements: Placements;
	cluster: ClusterTable;
	hopSecret: string | undefined;
	/** A visit must ask before it goes by the route. */
	wakes(projectId: string): boolean;
	/** Whether the site has said since the start what this node is to have. */
	isCurrent(): boolean;
	log: Logger;
}): Routes {
	const { edge, placements, cluster, isCurrent, log } = options;
	let { hopSecret } = options;
	const ports = new Map<string, readonly OpenPort[]>();
	/** Project id → the route as last sent. */
	const sent = new Map<string, Route>();
	// Rises over restarts of the agent as well, as long as the clock does not go back by more than the agent was up.
	let revision = Date.now();
	/** Until then changes need not be sent: the first table has them. */
	let published = false;
	/** The last change on its way; the edge takes them in order. */
	let last: Promise<void> = Promise.resolve();

	function route(placement: DesiredPlacement): Route {
		const { projectId, slug, domains, visibility } = placement;
		const { main, open } = visitable(projectId);
		return {
			slug,
			domains,
			projectId,
			// None while it is paused: it would take the connection and never answer.
			address: placements.running(projectId)?.address ?? null,
			ports: open,
			mainPort: main,
			visibility,
			state: placements.life(projectId).state,
			wakes: options.wakes(projectId),
		};
	}

	function visitable(projectId: string) {
		const known = placements.present(projectId) ? (ports.get(projectId) ?? []) : [];
		return {
			main: known.find(({ main }) => main)?.port ?? null,
			open: known.flatMap(({ port, externals }) => externals.map((external) => ({ external, local: port }))),
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
		last = edge
			.changeRoutes({ revision, set, removed })
			.catch((error: unknown) => log.error({ err: error }, "the edge did not take a change of routes"));
	}

	return {
		async publish() {
			sent.clear();
			for (const projectId of placements.projects()) {
				const placement = placements.find(projectId);
				if (placement && !isDeparting(placement)) sent.set(projectId, route(placement));
			}
			published = true;
			await publish();
		},

		update(projectId) {
			if (!published) return;
			const before = sent.get(projectId);
			const placement = placements.find(projectId);
			if (!placement || isDeparting(placement)) {
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

		ports(projectId) {
			const { main, open } = visitable(projectId);
			return { main, open: open.map(({ external }) => external) };
		},

		delivered: () => last,

		async lookUp(slug) {
			await last;
			if (isHere(slug) || cluster.find(slug)) return "known";
			const isPlaced = placements.projects().some((projectId) => placements.find(projectId)?.slug === slug);
			return isPlaced || !published || !isCurrent() ? "unsure" : "unknown";
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
