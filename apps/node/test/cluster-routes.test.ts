import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DesiredPlacement, RouteChange, RouteTable } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ClusterTable, openClusterTable } from "../src/cluster-routes.ts";
import type { Placements } from "../src/placements/placements.ts";
import { createRoutes } from "../src/routes.ts";

const log = createLog("cluster-routes-test", "silent");
const far = {
	slug: "far",
	projectId: "3f0c9a52-1111-4111-8111-000000000001",
	peer: "198.18.0.2:8080",
	peerTlsPort: 8443,
	domains: ["shop.example.org"],
};
let directory: string;
let tables: RouteTable[];
let changes: RouteChange[];
let here: Map<string, Partial<DesiredPlacement>>;
let opened: ClusterTable[];

beforeEach(async () => {
	directory = await mkdtemp(join(tmpdir(), "repldock-cluster-"));
	[tables, changes, here, opened] = [[], [], new Map(), []];
});
afterEach(async () => {
	await Promise.all(opened.map((cluster) => cluster.settled()));
	await rm(directory, { recursive: true, force: true });
});

/** The agent's routes over this test's own placements; what the edge is sent is kept. */
async function start(hopSecret?: string) {
	const cluster = await openClusterTable({
		file: join(directory, "cluster-routes.json"),
		ownAddress: "198.18.0.1:8080",
		log,
	});
	opened.push(cluster);
	const placements = {
		projects: () => [...here.keys()],
		find: (projectId: string) => here.get(projectId),
		running: () => undefined,
		present: () => undefined,
		life: () => ({ state: "stopped", problem: null }),
	} as unknown as Placements;
	const edge = {
		replaceRoutes: async (table: RouteTable) => void tables.push(table),
		changeRoutes: async (change: RouteChange) => void changes.push(change),
	};
	const routes = createRoutes({
		edge,
		placements,
		cluster,
		hopSecret,
		wakes: () => false,
		isCurrent: () => true,
		log,
	});
	await routes.publish();
	return routes;
}
const slugs = () => tables.at(-1)?.routes.map(({ slug }) => slug);

test("other nodes' projects are still known after a restart without the site", async () => {
	const routes = await start();
	routes.setElsewhere({ whole: true, set: [far], removed: [] });
	expect(slugs()).toEqual(["far"]);
	routes.setElsewhere({ whole: false, set: [{ ...far, slug: "farther" }], removed: ["far"] });
	expect(changes.at(-1)).toMatchObject({ set: [{ slug: "farther", peer: far.peer }], removed: ["far"] });
	await opened[0]?.settled();
	await start();
	expect(tables.at(-1)?.routes).toEqual([{ ...far, slug: "farther" }]);
});

test("a project that is here is answered from here, and passed on once it has moved away", async () => {
	here.set(far.projectId, { projectId: far.projectId, slug: "far", visibility: "public", want: "stopped" });
	const routes = await start();
	routes.setElsewhere({ whole: true, set: [far], removed: [] });
	expect(tables.at(-1)?.routes).toMatchObject([{ slug: "far", state: "stopped" }]);
	routes.setElsewhere({ whole: false, set: [far], removed: [] });
	expect(changes).toEqual([]);
	here.clear();
	routes.update(far.projectId);
	expect(changes.at(-1)).toMatchObject({ set: [far], removed: [] });
});

test("nothing is ever passed on to this node itself, and the secret reaches the edge when it comes", async () => {
	const routes = await start("old");
	routes.setElsewhere({ whole: true, set: [{ ...far, peer: "198.18.0.1:8080" }], removed: [] });
	expect(tables.at(-1)).toMatchObject({ hopSecret: "old", routes: [{ slug: "far", peer: null }] });
	routes.setHopSecret("old");
	expect(tables.length).toBe(2);
	routes.setHopSecret("new");
	expect(tables.at(-1)).toMatchObject({ hopSecret: "new", routes: [{ slug: "far" }] });
});
