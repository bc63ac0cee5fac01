import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Client } from "./support/client.ts";
import { eventually } from "./support/eventually.ts";
import { createWorld, type Instance, type World } from "./support/site.ts";

// Passwords are hashed slowly on purpose, and test files share few cores.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: World;
let site: Instance;
let ada: Client;
let eve: Client;

beforeAll(async () => {
	world = await createWorld({ REPLDOCK_TRASH_TIME: "7d", REPLDOCK_JANITOR_INTERVAL: "50ms" });
	site = await world.startInstance();
	ada = await site.signedUp("Owner");
	eve = await site.signedUp("Eve");
});
afterAll(() => world.stop());

const create = async (client: Client, input: object) => (await client.post("/api/v1/projects", input)).body;

test("a project is made from a template, renamed, moved, published and read by others", async () => {
	const project = await create(ada, { template: "python", name: "  Größe & Maß  " });
	expect(project).toMatchObject({
		name: "Größe & Maß",
		slug: "gro-e-ma",
		template: "python",
		visibility: "private",
		ownerName: "Owner",
		url: "http://gro-e-ma.localhost:8080/",
		state: "stopped",
		problem: null,
		deletedAt: null,
		purgeAt: null,
	});
	const path = `/api/v1/projects/${project.id}`;
	expect((await eve.get(path)).body.code).toBe("not_found");
	expect((await site.client().get(path)).body.code).toBe("not_found");
	expect((await eve.patch(path, { name: "mine" })).body.code).toBe("not_found");

	const changed = await ada.patch(path, { name: "Sizes", slug: "sizes", visibility: "public" });
	expect(changed.body).toMatchObject({ name: "Sizes", slug: "sizes", visibility: "public" });
	expect((await eve.get(path)).body.name).toBe("Sizes");
	expect((await site.client().get(path)).body.name).toBe("Sizes");
	expect((await eve.patch(path, { name: "mine" })).body.code).toBe("not_allowed");
	expect((await eve.delete(path)).body.code).toBe("not_allowed");
	expect((await eve.post(`${path}/stop`)).body.code).toBe("not_allowed");
	expect((await site.client().post("/api/v1/projects", { template: "python" })).body.code).toBe("sign_in_required");
});

test("wrong inputs are named and change nothing", async () => {
	const project = await create(ada, { template: "python", name: "Steady" });
	const path = `/api/v1/projects/${project.id}`;
	const refused: object[] = [
		{ slug: "UPPER" },
		{ slug: "a--b" },
		{ slug: "-a" },
		{ slug: "node" },
		{ slug: "a".repeat(49) },
		{ slug: "'; DROP TABLE projects; --" },
		{ name: "" },
		{ name: "a\u0000b" },
		{ name: "line\nbreak" },
		{ name: "x".repeat(61) },
		{ visibility: "secret" },
		{},
	];
	for (const change of refused) {
		const answer = await ada.patch(path, change);
		expect(answer.body, JSON.stringify(change)).toMatchObject({ status: 400, code: "invalid_input" });
		expect(answer.headers.get("content-type")).toBe("application/problem+json");
	}
	expect((await ada.patch(path, "{ not json")).body.code).toBe("invalid_input");
	expect((await ada.post("/api/v1/projects", { template: "cobol" })).body.fields).toHaveProperty("template");
	expect((await ada.post("/api/v1/projects", { template: "python", name: "x".repeat(100_000) })).status).toBe(400);
	expect((await ada.get("/api/v1/projects/not-an-id")).body.code).toBe("invalid_input");
	expect((await ada.get(`/api/v1/projects/${crypto.randomUUID()}`)).body.code).toBe("not_found");
	expect((await ada.get("/api/v1/nothing")).body).toMatchObject({ status: 404, code: "not_found" });
	for (const query of [
		"cursor=zzz",
		`cursor=${btoa('["2026-01-01T00:00:00Z","x"]')}`,
		"limit=0",
		"query=%00",
		"trash=7",
	]) {
		expect((await ada.get(`/api/v1/projects?${query}`)).body.code, query).toBe("invalid_input");
	}
	expect((await ada.get(path)).body).toMatchObject({ name: "Steady", slug: "steady" });
});

test("names of every kind are kept as they are and can be searched for", async () => {
	const client = await site.signedUp("Collector");
	const names = [
		"<img src=x onerror=alert(1)>",
		"100% _done_",
		"Robert'); DROP TABLE--",
		"日本語 🦊",
		"-rf",
		"\u202Eabc",
	];
	for (const name of names) expect((await create(client, { template: "python", name })).name).toBe(name);
	const search = async (query: string) =>
		(await client.get(`/api/v1/projects?query=${encodeURIComponent(query)}`)).body.items.map(
			(item: { name: string }) => item.name,
		);
	expect(await search("%")).toEqual(["100% _done_"]);
	expect(await search("_")).toEqual(["100% _done_"]);
	expect(await search("\\")).toEqual([]);
	expect(await search("本語")).toEqual(["日本語 🦊"]);
	expect(await search("DROP table")).toEqual(["Robert'); DROP TABLE--"]);
	expect((await search("")).length).toBe(names.length);
	expect((await eve.get("/api/v1/projects?query=DROP")).body.items).toEqual([]);
});

test("a list comes in pages that miss nothing and repeat nothing", async () => {
	const client = await site.signedUp("Prolific");
	for (let number = 0; number < 7; number++) await create(client, { template: "python", name: `Page ${number}` });
	const seen: string[] = [];
	let cursor: string | null = null;
	do {
		const answer = await client.get(`/api/v1/projects?limit=3${cursor ? `&cursor=${cursor}` : ""}`);
		seen.push(...answer.body.items.map((item: { name: string }) => item.name));
		cursor = answer.body.nextCursor;
	} while (cursor);
	expect(seen).toEqual([6, 5, 4, 3, 2, 1, 0].map((number) => `Page ${number}`));
});

test("20 people who make a project of one name at once get 20 slugs", async () => {
	const answers = await Promise.all(
		Array.from({ length: 20 }, () => ada.post("/api/v1/projects", { template: "python", name: "Popular" })),
	);
	expect(answers.map((answer) => answer.status)).toEqual(Array(20).fill(201));
	const slugs = new Set(answers.map((answer) => answer.body.slug));
	expect(slugs.size).toBe(20);
	expect(slugs.has("popular")).toBe(true);
});

test("of 20 who want one slug at once, one gets it and the others a proposal", async () => {
	const projects = await Promise.all(
		Array.from({ length: 20 }, (_, number) => create(ada, { template: "python", name: `Rival ${number}` })),
	);
	const renames = await Promise.all(
		projects.map((project) => ada.patch(`/api/v1/projects/${project.id}`, { slug: "coveted" })),
	);
	expect(renames.filter((answer) => answer.status === 200)).toHaveLength(1);
	const losers = renames.filter((answer) => answer.status !== 200);
	for (const answer of losers) expect(answer.body).toMatchObject({ status: 409, code: "slug_taken" });
	expect(losers[0]?.body.fields.slug).toContain("coveted-2 is free");

	const wanted = { template: "python", slug: "wanted-too" };
	const creates = await Promise.all(Array.from({ length: 20 }, () => ada.post("/api/v1/projects", wanted)));
	expect(creates.map((answer) => answer.status).sort()).toEqual([201, ...Array(19).fill(409)]);
});

test("a deleted project can be restored until its time in the trash is over, then it is gone and its slug free", async () => {
	const client = await site.signedUp("Tidy");
	const project = await create(client, { template: "python", name: "Ephemeral", visibility: "public" });
	const path = `/api/v1/projects/${project.id}`;
	expect((await client.delete(path)).status).toBe(204);
	expect((await client.delete(path)).status).toBe(204);
	expect((await client.get("/api/v1/projects")).body.items).toEqual([]);
	const [trashed] = (await client.get("/api/v1/projects?trash=1")).body.items;
	expect(Date.parse(trashed.purgeAt) - Date.parse(trashed.deletedAt)).toBe(7 * 24 * 3600 * 1000);
	expect((await eve.get(path)).status).toBe(404);
	expect((await client.patch(path, { name: "Zombie" })).body.code).toBe("not_allowed");
	expect((await client.post(`${path}/ticket`)).body.code).toBe("not_allowed");
	expect((await ada.post("/api/v1/projects", { template: "python", slug: "ephemeral" })).body.code).toBe("slug_taken");

	expect((await client.post(`${path}/restore`)).body).toMatchObject({ slug: "ephemeral", deletedAt: null });
	expect((await client.get("/api/v1/projects")).body.items).toHaveLength(1);

	await client.delete(path);
	await world.query("UPDATE projects SET deleted_at = deleted_at - interval '7 days' WHERE id = $1", [project.id]);
	await eventually(async () => expect((await client.get(path)).status).toBe(404));
	expect((await ada.post("/api/v1/projects", { template: "python", slug: "ephemeral" })).status).toBe(201);
});

test("without a node a project can be made; opening it says that no server can take it", async () => {
	const project = await create(ada, { template: "python", name: "Patient" });
	expect((await ada.post(`/api/v1/projects/${project.id}/ticket`)).body).toMatchObject({
		status: 503,
		code: "no_node",
	});
});

test("the OpenAPI document names every route, and templates need no sign-in", async () => {
	const { body } = await site.client().get("/api/openapi.json");
	expect(body.openapi).toBe("3.1.0");
	const routes = Object.entries<object>(body.paths).flatMap(([path, methods]) =>
		Object.keys(methods).map((method) => `${method} ${path.replace("/api/v1", "")}`),
	);
	expect(routes.sort()).toEqual(
		[
			"get /admin/projects",
			"get /me",
			"patch /me",
			"get /tokens",
			"post /tokens",
			"delete /tokens/{id}",
			"post /visits",
			"post /welcome",
			"get /templates",
			"get /projects",
			"post /projects",
			"get /projects/{id}",
			"patch /admin/projects/{id}",
			"patch /projects/{id}",
			"patch /projects/{id}/network",
			"delete /projects/{id}",
			"post /projects/{id}/fork",
			"post /projects/{id}/restore",
			"post /projects/{id}/ticket",
			"post /projects/{id}/stop",
			"get /projects/{id}/domains",
			"get /projects/{id}/network",
			"post /projects/{id}/domains",
			"post /projects/{id}/domains/{domainId}/verify",
			"delete /projects/{id}/domains/{domainId}",
			"get /settings",
			"patch /settings",
			"get /nodes",
			"get /users",
			"get /projects/{id}/traffic",
			"post /projects/{id}/network-answer",
			"get /projects/{id}/versions",
			"patch /projects/{id}/versions/{version}",
			"get /nodes/{id}/traffic",
			"post /admin/projects/{id}/network-restriction",
			"delete /admin/projects/{id}/network-restriction",
		].sort(),
	);
	const templates = await site.client().get("/api/v1/templates");
	expect(templates.body.items.map((item: { id: string }) => item.id)).toEqual(["python", "node-web"]);
	expect(templates.headers.get("cache-control")).toBe("no-store");
});
