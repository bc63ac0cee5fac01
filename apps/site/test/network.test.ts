import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Client } from "./support/client.ts";
import { dialIn, type FakeNode } from "./support/fake-node.ts";
import { createWorld, type Instance, type World } from "./support/site.ts";

// Passwords are hashed slowly on purpose, and test files share few cores.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: World;
let instance: Instance;
let node: FakeNode;
let owner: Client;
let eve: Client;
let path: string;
let projectId: string;

beforeAll(async () => {
	world = await createWorld();
	instance = await world.startInstance();
	node = await dialIn(world, instance);
	owner = await instance.signedUp("Owner");
	eve = await instance.signedUp("Eve");
	const made = await owner.post("/api/v1/projects", { template: "python", name: "Exam", visibility: "public" });
	projectId = (made.body as { id: string }).id;
	path = `/api/v1/projects/${projectId}/network`;
});
afterAll(() => world.stop());

const networkOf = (set: ReturnType<FakeNode["desired"]>) => set.find((each) => each.projectId === projectId)?.network;

test("a project's network is open until its owner changes it, and its node hears of each change", async () => {
	expect((await owner.get(path)).body).toEqual({ mode: "open", allowedDomains: [], restriction: null });
	const allowedDomains = ["example.org", "*.wild.example"];
	const changed = await owner.patch(path, { mode: "allow-list", allowedDomains });
	expect(changed).toMatchObject({ status: 200, body: { mode: "allow-list", allowedDomains } });
	await node.waitFor((set) => networkOf(set)?.mode === "allow-list");
	expect(networkOf(node.desired())?.allowedDomains).toEqual(allowedDomains);
	// The list is kept for the day when it is wanted again.
	await owner.patch(path, { mode: "closed" });
	await node.waitFor((set) => networkOf(set)?.mode === "closed");
	expect((await owner.get(path)).body).toMatchObject({ mode: "closed", allowedDomains });
});

test("only the owner sees and changes it, and what is no domain is told", async () => {
	expect((await eve.get(path)).status).toBe(403);
	expect((await eve.patch(path, { mode: "open" })).status).toBe(403);
	for (const wrong of ["https://example.org", "10.0.0.1", "*", "*.*.example.org", "a b.example", "localhost"]) {
		const answer = await owner.patch(path, { allowedDomains: [wrong] });
		expect([wrong, answer.status]).toEqual([wrong, 400]);
		expect(JSON.stringify(answer.body)).toContain("Write a domain such as example.org");
	}
	expect((await owner.patch(path, {})).status).toBe(400);
});

test("an operator's restriction is shown with its reason, and the owner cannot lift it", async () => {
	const restriction = { kind: "closed", bitsPerSecond: null, reason: "It scanned ports." };
	await world.query("UPDATE projects SET network_restriction = $1 WHERE id = $2", [
		JSON.stringify(restriction),
		projectId,
	]);
	await owner.patch(path, { mode: "open" });
	expect((await owner.get(path)).body).toMatchObject({ mode: "open", restriction });
	await node.waitFor((set) => networkOf(set)?.restriction?.reason === "It scanned ports.");
});
