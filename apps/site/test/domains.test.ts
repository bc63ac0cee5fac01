import { RepldockError } from "@repldock/protocol";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { afterCheck, normaliseDomain } from "../src/domain/custom-domain.ts";
import type { Client } from "./support/client.ts";
import { eventually } from "./support/eventually.ts";
import { dialIn, type FakeNode } from "./support/fake-node.ts";
import { createWorld, type Instance, type World } from "./support/site.ts";

// Passwords are hashed slowly on purpose, and test files share few cores.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: World;
let instance: Instance;
let node: FakeNode;
let owner: Client;
let eve: Client;

/** The DNS of this test. */
const txt = new Map<string, string[]>();
const cname = new Map<string, string[]>();
let isDown = false;

function lookUp(records: Map<string, string[]>) {
	return async (name: string) => {
		if (isDown) throw new Error("no name server answers");
		return records.get(name) ?? [];
	};
}

beforeAll(async () => {
	world = await createWorld(
		{ REPLDOCK_JANITOR_INTERVAL: "100ms", REPLDOCK_DOMAINS_PER_PROJECT: "3", REPLDOCK_APPS_DOMAIN: "apps.test" },
		{ txt: lookUp(txt), cname: lookUp(cname) },
	);
	instance = await world.startInstance();
	node = await dialIn(world, instance);
	owner = await instance.signedUp("Owner");
	eve = await instance.signedUp("Eve");
});
afterAll(() => world.stop());

interface Shown {
	id: string;
	name: string;
	state: string;
	problem: string | null;
	records: { type: string; name: string; value: string }[];
}

async function makeProject(client: Client, name: string) {
	const made = await client.post("/api/v1/projects", { template: "python", name });
	const { id, slug } = made.body as { id: string; slug: string };
	const path = `/api/v1/projects/${id}/domains`;
	return {
		id,
		slug,
		path,
		async add(domain: string): Promise<Shown> {
			const answer = await client.post(path, { name: domain });
			expect(answer.status, JSON.stringify(answer.body)).toBe(201);
			return answer.body as Shown;
		},
		/** As if the last look had been long ago. */
		async verify(domain: Shown): Promise<Shown> {
			await world.query("UPDATE domains SET checked_at = now() - interval '10 seconds' WHERE id = $1", [domain.id]);
			return (await client.post(`${path}/${domain.id}/verify`)).body as Shown;
		},
		list: async () => (await client.get(path)).body.items as Shown[],
		desired: (condition: (domains: string[]) => boolean) =>
			node.waitFor((set) => condition(set.find(({ projectId }) => projectId === id)?.domains ?? [])),
	};
}

const token = (domain: Shown) => domain.records.find(({ type }) => type === "TXT")?.value ?? "";

test("a domain is shown once its TXT record is there, and the node hears of it without a poll", async () => {
	const project = await makeProject(owner, "Shop");
	const domain = await project.add("https://WWW.Shop.example./");
	expect(domain).toMatchObject({ name: "www.shop.example", state: "waiting", problem: null });
	expect(domain.records).toEqual([
		{ type: "CNAME", name: "www.shop.example", value: "shop.apps.test" },
		{ type: "TXT", name: "_repldock.www.shop.example", value: expect.stringMatching(/^repldock-[0-9a-f]{32}$/) },
	]);
	expect(await project.verify(domain)).toMatchObject({ state: "waiting", problem: expect.stringContaining("DNS") });
	txt.set("_repldock.www.shop.example", ["other", token(domain)]);
	expect(await project.verify(domain)).toMatchObject({ state: "ready", problem: null });
	await project.desired((domains) => domains.includes("www.shop.example"));
	expect((await owner.delete(`${project.path}/${domain.id}`)).status).toBe(204);
	await project.desired((domains) => domains.length === 0);
});

test("a CNAME to the project's own address is proof, to another project's it is none", async () => {
	const project = await makeProject(owner, "Blog");
	const domain = await project.add("bücher.example");
	expect(domain).toMatchObject({ name: "xn--bcher-kva.example", displayName: "bücher.example" });
	cname.set(domain.name, ["shop.apps.test"]);
	expect((await project.verify(domain)).state).toBe("waiting");
	cname.set(domain.name, ["Blog.apps.test."]);
	expect((await project.verify(domain)).state).toBe("ready");
});

test("a new domain is found without anybody asking again", async () => {
	const project = await makeProject(owner, "Patience");
	const domain = await project.add("patience.example");
	txt.set("_repldock.patience.example", [token(domain)]);
	await world.query("UPDATE domains SET checked_at = NULL WHERE id = $1", [domain.id]);
	await project.desired((domains) => domains.includes("patience.example"));
});

test("asking first gives no right to a domain, proving it does", async () => {
	const [squatter, rightful] = [await makeProject(eve, "Squatter"), await makeProject(owner, "Rightful")];
	const squatted = await squatter.add("fought.example");
	const claimed = await rightful.add("fought.example");
	expect(token(squatted)).not.toBe(token(claimed));
	txt.set("_repldock.fought.example", [token(claimed)]);
	expect((await rightful.verify(claimed)).state).toBe("ready");
	// Even with a proof of its own, a domain that another project shows is not taken.
	txt.set("_repldock.fought.example", [token(claimed), token(squatted)]);
	const refused = await squatter.verify(squatted);
	expect(refused).toMatchObject({ state: "waiting", problem: expect.stringContaining("Another project") });
	// Once the other lets go, the proof counts.
	await owner.delete(`${rightful.path}/${claimed.id}`);
	expect((await squatter.verify(squatted)).state).toBe("ready");
});

test("a proof that is gone is told, and the domain is shown through the time of grace", async () => {
	const project = await makeProject(owner, "Leaving");
	const domain = await project.add("leaving.example");
	txt.set("_repldock.leaving.example", [token(domain)]);
	await project.verify(domain);
	isDown = true;
	expect(await project.verify(domain)).toMatchObject({
		state: "ready",
		problem: expect.stringContaining("did not answer"),
	});
	isDown = false;
	txt.delete("_repldock.leaving.example");
	expect(await project.verify(domain)).toMatchObject({
		state: "losing",
		problem: expect.stringContaining("no longer"),
	});
	await project.desired((domains) => domains.includes("leaving.example"));
	await world.query(
		"UPDATE domains SET missing_since = now() - interval '8 days', checked_at = now() - interval '2 hours' WHERE id = $1",
		[domain.id],
	);
	await project.desired((domains) => domains.length === 0);
	await eventually(async () => expect((await project.list())[0]).toMatchObject({ state: "waiting" }));
});

test("only who may edit the project touches its domains", async () => {
	const project = await makeProject(owner, "Mine");
	const domain = await project.add("mine.example");
	const stranger = instance.client();
	for (const [client, status] of [
		[eve, 404],
		[stranger, 401],
	] as const) {
		expect((await client.get(project.path)).status).toBe(status);
		expect((await client.post(project.path, { name: "x.example" })).status).toBe(status);
		expect((await client.post(`${project.path}/${domain.id}/verify`)).status).toBe(status);
		expect((await client.delete(`${project.path}/${domain.id}`)).status).toBe(status);
	}
	await owner.patch(`/api/v1/projects/${project.id}`, { visibility: "public" });
	expect((await eve.get(project.path)).status).toBe(403);
	// Another project's domain is not reached through one's own.
	const other = await makeProject(eve, "Other");
	expect((await eve.delete(`${other.path}/${domain.id}`)).status).toBe(404);
	expect(await project.list()).toHaveLength(1);
});

test("a project has no more domains than the operator allows, however they are asked for", async () => {
	const project = await makeProject(owner, "Greedy");
	const answers = await Promise.all(
		["a", "b", "c", "d", "e"].map((label) => owner.post(project.path, { name: `${label}.greedy.example` })),
	);
	expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, 403, 403]);
	expect((await owner.post(project.path, { name: "A.greedy.example" })).status).toBeGreaterThanOrEqual(403);
	expect(await project.list()).toHaveLength(3);
});

const own = { siteHost: "repldock.example", appsDomain: "apps.repldock.net" };

test("names that cannot be a project's are refused with a sentence", () => {
	const wrong = [
		"localhost",
		"intranet",
		"a.localhost",
		"printer.local",
		"127.0.0.1",
		"0x7f.1",
		"[::1]",
		"1.2.3.4.",
		"repldock.example",
		"WWW.Repldock.example",
		"apps.repldock.net",
		"x.apps.repldock.net",
		"node.apps.repldock.net.",
		"a..example",
		".example",
		"-a.example",
		"a_b.example",
		"*.example.com",
		"a b.example",
		"user@host.example",
		"host.example:80",
		"host.example/path",
		"host.example?x",
		"%61.example",
		"1.0.0.127.in-addr.arpa",
		"a.0-0",
		"a.3com",
		"",
		`${"a".repeat(64)}.example`,
		`${"a.".repeat(130)}example`,
		"a\0.example",
	];
	for (const text of wrong) expect(() => normaliseDomain(text, own), text).toThrow(RepldockError);
	expect(normaliseDomain("repldock.net", own)).toBe("repldock.net");
	expect(normaliseDomain("notrepldock.example", own)).toBe("notrepldock.example");
	expect(normaliseDomain(" HTTP://Www.Example.COM./ ", own)).toBe("www.example.com");
});

test("whatever is written, a domain that is taken has one spelling, and is not one of ours", () => {
	const label = fc.stringMatching(/^[A-Za-z0-9äöéß-]{1,10}$/);
	fc.assert(
		fc.property(
			fc.oneof(
				fc.string(),
				fc.array(label, { maxLength: 4 }).map((parts) => parts.join(".")),
			),
			(text) => {
				let name: string;
				try {
					name = normaliseDomain(text, own);
				} catch (error) {
					expect(error).toBeInstanceOf(RepldockError);
					return;
				}
				expect(name).toMatch(/^[a-z0-9.-]+\.[a-z][a-z0-9-]*$/);
				expect(normaliseDomain(name, own)).toBe(name);
				expect(name.endsWith(".localhost") || name.endsWith(own.appsDomain)).toBe(false);
			},
		),
	);
});

test("a check never takes a domain that works down before its time", () => {
	const day = 86_400_000;
	const at = (days: number) => new Date(days * day);
	const ready = { verifiedAt: at(0), missingSince: null };
	expect(afterCheck({ verifiedAt: null, missingSince: null }, false, at(1), day)).toEqual({
		verifiedAt: null,
		missingSince: null,
	});
	expect(afterCheck(ready, false, at(1), 7 * day)).toEqual({ verifiedAt: at(0), missingSince: at(1) });
	expect(afterCheck({ ...ready, missingSince: at(1) }, false, at(7), 7 * day).verifiedAt).toEqual(at(0));
	expect(afterCheck({ ...ready, missingSince: at(1) }, false, at(8), 7 * day).verifiedAt).toBeNull();
	expect(afterCheck({ ...ready, missingSince: at(1) }, true, at(2), 7 * day)).toEqual(ready);
});
