import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Client } from "./support/client.ts";
import { eventually } from "./support/eventually.ts";
import { dialIn, type FakeNode } from "./support/fake-node.ts";
import { createWorld, type Instance, type World } from "./support/site.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: World;
let instance: Instance;
let owner: Client;
let one: FakeNode;
let two: FakeNode;
/** TXT records by name. */
const records = new Map<string, string[]>();

beforeAll(async () => {
	world = await createWorld({}, { txt: async (name) => records.get(name) ?? [], cname: async () => [] });
	instance = await world.startInstance();
	owner = await instance.signedUp("Owner");
	one = await dialIn(world, instance, "one", [], "198.18.0.1:8080");
});
afterAll(() => world?.stop());

async function make(name: string): Promise<{ id: string; slug: string }> {
	return (await owner.post("/api/v1/projects", { template: "python", name })).body;
}

test("each node is told where the others' projects are, and of every change", async () => {
	const project = await make("Wanders");
	expect(one.elsewhere()).toEqual([]);
	two = await dialIn(world, instance, "two", [], "198.18.0.2:8080");
	const entry = {
		slug: project.slug,
		projectId: project.id,
		peer: "198.18.0.1:8080",
		peerTlsPort: 8443,
		domains: [] as string[],
	};
	await eventually(async () => expect(two.elsewhere()).toEqual([entry]));
	await owner.patch(`/api/v1/projects/${project.id}`, { slug: "wanders-on" });
	await eventually(async () => expect(two.elsewhere()).toEqual([{ ...entry, slug: "wanders-on" }]));
	const added = await owner.post(`/api/v1/projects/${project.id}/domains`, { name: "shop.example.org" });
	for (const { name, value } of added.body.records) records.set(name, [value]);
	await owner.post(`/api/v1/projects/${project.id}/domains/${added.body.id}/verify`, {});
	const proved = { ...entry, slug: "wanders-on", domains: ["shop.example.org"] };
	await eventually(async () => expect(two.elsewhere()).toEqual([proved]));
	await owner.delete(`/api/v1/projects/${project.id}/domains/${added.body.id}`);
	await eventually(async () => expect(two.elsewhere()).toEqual([{ ...entry, slug: "wanders-on" }]));
	await owner.delete(`/api/v1/projects/${project.id}`);
	await eventually(async () => expect(two.elsewhere()).toEqual([]));
	expect(one.elsewhere()).toEqual([]);
});

test("all nodes share one secret, which is nobody else's", async () => {
	expect(one.welcome.edgeSecret.length).toBeGreaterThanOrEqual(43);
	expect(two.welcome.edgeSecret).toBe(one.welcome.edgeSecret);
});

test("projects of a node that other edges cannot reach are named without an address", async () => {
	await two.close();
	two = await dialIn(world, instance, "two");
	// The other node is full of projects, so a new one comes here.
	const project = await make("Out of reach");
	const here = () => [...one.desired(), ...two.desired()].find(({ projectId }) => projectId === project.id);
	await eventually(async () => expect(here()).toBeDefined());
	const isOnTwo = two.desired().some(({ projectId }) => projectId === project.id);
	const [holder, other] = isOnTwo ? [two, one] : [one, two];
	await eventually(async () => expect(other.elsewhere().map(({ slug }) => slug)).toContain(project.slug));
	expect(other.elsewhere().find(({ slug }) => slug === project.slug)?.peer).toBe(isOnTwo ? null : "198.18.0.1:8080");
	expect(holder.elsewhere().map(({ slug }) => slug)).not.toContain(project.slug);
});
