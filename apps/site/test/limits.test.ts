import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { eventually } from "./support/eventually.ts";
import { dialIn, type FakeNode } from "./support/fake-node.ts";
import { createWorld, type Instance, type World } from "./support/site.ts";

// Passwords are hashed slowly on purpose, and test files share few cores.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: World;
let site: Instance;
let node: FakeNode;

beforeAll(async () => {
	world = await createWorld({ REPLDOCK_PROJECTS_PER_USER: "3", REPLDOCK_RUNNING_PER_USER: "1" });
	site = await world.startInstance();
	node = await dialIn(world, site);
});
afterAll(() => world.stop());

test("one person gets so many projects and no more, and others are not touched by that", async () => {
	const ada = await site.signedUp("Ada");
	for (const name of ["One", "Two", "Three"]) {
		expect((await ada.post("/api/v1/projects", { template: "python", name })).status).toBe(201);
	}
	const refused = await ada.post("/api/v1/projects", { template: "python", name: "Four" });
	expect(refused.status).toBe(403);
	expect(refused.body).toMatchObject({ code: "limit_reached" });
	const eve = await site.signedUp("Eve");
	expect((await eve.post("/api/v1/projects", { template: "python", name: "Mine" })).status).toBe(201);
});

test("one person's containers run so many at a time; stopping one makes room for the next", async () => {
	const grace = await site.signedUp("Grace");
	const make = async (name: string) =>
		(await grace.post("/api/v1/projects", { template: "python", name })).body.id as string;
	const [first, second] = [await make("First"), await make("Second")];
	expect((await grace.post(`/api/v1/projects/${first}/ticket`)).status).toBe(200);
	const [placement] = (
		await node.waitFor((set) => set.some(({ projectId, want }) => projectId === first && want === "running"))
	).filter(({ projectId }) => projectId === first);
	if (!placement) throw new Error("unreachable");
	node.report(placement, "running");
	await eventually(async () => expect((await grace.get(`/api/v1/projects/${first}`)).body.state).toBe("running"));

	expect((await grace.post(`/api/v1/projects/${second}/ticket`)).body).toMatchObject({ code: "limit_reached" });
	// Its node knows the same limit, for the visitors who wake what sleeps.
	expect(placement.owner.mostRunning).toBe(1);
	expect((await grace.post(`/api/v1/projects/${first}/ticket`)).status).toBe(200);
	await grace.post(`/api/v1/projects/${first}/stop`);
	expect((await grace.post(`/api/v1/projects/${second}/ticket`)).status).toBe(200);
});
