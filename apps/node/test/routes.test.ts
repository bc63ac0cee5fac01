import { type DesiredPlacement, openNetwork, type RouteChange } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import { expect, test } from "vitest";
import type { Placements } from "../src/placements/placements.ts";
import { createRoutes } from "../src/routes.ts";

const placement = (slug: string): DesiredPlacement => ({
	projectId: `id-of-${slug}`,
	generation: 1,
	want: "stopped",
	wantVersion: 1,
	slug,
	domains: [],
	network: openNetwork,
	alwaysOn: false,
	owner: { id: "u1", name: "Ada" },
	template: "python",
	visibility: "public",
	stored: false,
	rightsVersion: 1,
	limits: { memoryBytes: 1, cpus: 1, pids: 1, diskBytes: 1 },
});

function rig() {
	const placed = new Map<string, DesiredPlacement>();
	const changes: RouteChange[] = [];
	let heard = false;
	let arrive = () => {};
	const placements = {
		projects: () => [...placed.keys()],
		find: (id: string) => placed.get(id),
		present: () => ({ containerId: "c", pid: 1, slug: "", address: "10.0.0.2", hardwareAddress: "02:42:0a:00:00:02" }),
		running: () => ({ containerId: "c", pid: 1, slug: "", address: "10.0.0.2", hardwareAddress: "02:42:0a:00:00:02" }),
		life: () => ({ state: "running", problem: null }),
	} as unknown as Placements;
	const edge = {
		replaceRoutes: async () => undefined,
		async changeRoutes(change: RouteChange) {
			await new Promise<void>((resolve) => {
				arrive = resolve;
			});
			changes.push(change);
		},
	};
	const cluster = { find: () => undefined, list: () => [], apply: () => undefined, settled: async () => undefined };
	const routes = createRoutes({
		edge,
		placements,
		cluster,
		hopSecret: undefined,
		wakes: () => false,
		isCurrent: () => heard,
		log: createLog("test", "silent"),
	});
	const place = (slug: string) => placed.set(`id-of-${slug}`, placement(slug));
	return { routes, place, changes, arrive: () => arrive(), hear: () => (heard = true) };
}

test("no slug is unknown before the site has said what the node is to have", async () => {
	const { routes, place, hear } = rig();
	place("old");
	expect(await routes.lookUp("old")).toBe("unsure");
	await routes.publish();
	expect(await routes.lookUp("old")).toBe("known");
	expect(await routes.lookUp("new")).toBe("unsure");
	hear();
	expect(await routes.lookUp("new")).toBe("unknown");
});

test("a slug whose route is on its way is known once the edge has it", async () => {
	const { routes, place, hear, changes, arrive } = rig();
	await routes.publish();
	hear();
	place("new");
	expect(await routes.lookUp("new")).toBe("unsure");
	routes.update("id-of-new");
	const known = routes.lookUp("new").then((knowledge) => [knowledge, changes.length]);
	arrive();
	expect(await known).toEqual(["known", 1]);
});

test("the edge gets each port that visitors may name, and none that they may not", async () => {
	const { routes, place, changes, arrive } = rig();
	place("shop");
	await routes.publish();
	routes.setPorts("id-of-shop", [
		{ port: 5000, externals: [80, 5000], url: "http://shop/", main: true },
		{ port: 6379, externals: [], url: null, main: false },
	]);
	arrive();
	await routes.lookUp("shop");
	expect(changes[0]?.set[0]).toMatchObject({
		mainPort: 5000,
		ports: [
			{ external: 80, local: 5000 },
			{ external: 5000, local: 5000 },
		],
	});
});
