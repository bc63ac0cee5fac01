import { stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createWorld, type Instance, type World } from "./support/site.ts";

// Passwords are hashed slowly on purpose, and test files share few cores.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: World;
let site: Instance;

beforeAll(async () => {
	world = await createWorld({ REPLDOCK_SIGN_IN_WINDOW: "1h" });
	site = await world.startInstance({ REPLDOCK_SIGN_IN_ADDRESS_LIMIT: "8", REPLDOCK_SIGN_IN_ACCOUNT_LIMIT: "5" });
});
afterAll(() => world.stop());

test("a person signs up, out and in, changes their password, and the old one works no more", async () => {
	const client = site.client();
	expect((await client.get("/api/v1/me")).body.code).toBe("sign_in_required");
	await client.signUp("Grace");
	expect((await client.get("/api/v1/me")).body).toMatchObject({
		name: "Grace",
		email: "grace@example.com",
		role: "user",
	});

	expect(await client.post("/api/auth/sign-out")).toMatchObject({ status: 200 });
	expect((await client.get("/api/v1/me")).status).toBe(401);

	const wrong = await client.signIn("grace@example.com", "wrong password");
	expect(wrong.status).toBe(401);
	expect(wrong.headers.get("content-type")).toBe("application/problem+json");
	expect(wrong.body.code).toBe("wrong_credentials");

	expect((await client.signIn("Grace@Example.com", "correct horse")).status).toBe(200);
	const change = { currentPassword: "correct horse", newPassword: "battery staple" };
	expect((await client.post("/api/auth/change-password", change)).status).toBe(200);
	expect((await site.client().signIn("grace@example.com", "correct horse")).status).toBe(401);
	expect((await site.client().signIn("grace@example.com", "battery staple")).status).toBe(200);
});

test("no client can make itself administrator, at sign-up or later", async () => {
	const client = site.client();
	const person = { name: "Mallory", email: "mallory@example.com", password: "correct horse", role: "admin" };
	const answer = await client.post("/api/auth/sign-up/email", person);
	if (answer.status !== 200) await client.signUp("Mallory");
	await client.post("/api/auth/update-user", { role: "admin" });
	await client.patch("/api/v1/me", { name: "Mallory", role: "admin" });
	expect((await client.get("/api/v1/me")).body.role).toBe("user");
	for (const path of ["/api/v1/settings", "/api/v1/nodes", "/api/v1/users"]) {
		expect((await client.get(path)).body.code).toBe("not_allowed");
	}
	expect(await world.query("SELECT FROM users WHERE role = 'admin'")).toHaveLength(0);
});

test("a name is shown as it was given, and one that cannot be is refused", async () => {
	const client = await site.signedUp("Odd");
	const names = ["<script>alert(1)</script>", "'; DROP TABLE users; --", "名前 🦊", "a".repeat(60)];
	for (const name of names) {
		expect((await client.patch("/api/v1/me", { name })).body.name).toBe(name);
		expect((await client.get("/api/v1/me")).body.name).toBe(name);
	}
	for (const name of ["", "  ", "a\nb", "a\0b", "a".repeat(61), 7, null]) {
		expect((await client.patch("/api/v1/me", { name })).body).toMatchObject({ status: 400, code: "invalid_input" });
		expect((await client.post("/api/auth/update-user", { name })).status, JSON.stringify(name)).not.toBe(200);
	}
	const signUp = { name: "a\0b", email: "nul@example.com", password: "correct horse" };
	expect((await site.client().post("/api/auth/sign-up/email", signUp)).status).toBe(400);
});

test("attempts to sign in are counted by address, over all instances", async () => {
	const other = await world.startInstance({ REPLDOCK_SIGN_IN_ADDRESS_LIMIT: "8" });
	const address = { "x-forwarded-for": "198.51.100.7" };
	const statuses: number[] = [];
	for (let attempt = 0; attempt < 12; attempt++) {
		const client = (attempt % 2 ? site : other).client();
		// What the visitor wrote before the edge's own entry does not count.
		client.headers = { ...client.headers, "x-forwarded-for": `192.0.2.${attempt}, ${address["x-forwarded-for"]}` };
		client.headers["x-repldock-client-address"] = `192.0.2.${attempt}`;
		const answer = await client.signIn(`nobody${attempt}@example.com`, "wrong password");
		statuses.push(answer.status);
		if (answer.status === 429) {
			expect(answer.body.code).toBe("too_many_requests");
			expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
		}
	}
	expect(statuses).toEqual([...Array(8).fill(401), ...Array(4).fill(429)]);
	expect((await site.client().signIn("nobody@example.com", "wrong password")).status).toBe(401);
	await other.close();
});

test("guessing one account's password is limited from whatever addresses it comes", async () => {
	await site.signedUp("Victim");
	const statuses: number[] = [];
	for (let attempt = 0; attempt < 7; attempt++) {
		statuses.push((await site.client().signIn("victim@example.com", "wrong password")).status);
	}
	expect(statuses).toEqual([...Array(5).fill(401), 429, 429]);
});

test("changing what is not allowed needs a page of our own origin", async () => {
	const client = await site.signedUp("Careful");
	const trusted = client.headers;
	for (const origin of ["http://evil.localhost:8080", "http://localhost:8081", "null", undefined]) {
		client.headers = { ...trusted };
		if (origin === undefined) delete client.headers.origin;
		else client.headers.origin = origin;
		expect((await client.post("/api/v1/projects", { template: "python" })).body.code).toBe("not_allowed");
		expect((await client.post("/api/auth/sign-out")).body.code).toBe("not_allowed");
		expect((await client.get("/api/v1/me")).status).toBe(200);
	}
	const stranger = site.client();
	stranger.headers.origin = "http://evil.localhost:8080";
	expect((await stranger.signIn("careful@example.com", "correct horse")).status).toBe(403);
	client.headers = trusted;
	expect((await client.post("/api/v1/projects", { template: "python" })).status).toBe(201);
});

test("a personal token does what its owner may, is kept as a digest, and ends when it is revoked", async () => {
	const client = await site.signedUp("Script");
	const made = await client.post("/api/v1/tokens", { name: "laptop" });
	expect(made.status).toBe(201);
	expect(made.body.token).toMatch(/^rd_[\w-]{43}$/);
	expect(JSON.stringify((await client.get("/api/v1/tokens")).body)).not.toContain(made.body.token);

	const program = site.client();
	program.headers = { authorization: `Bearer ${made.body.token}` };
	expect((await program.get("/api/v1/me")).body.name).toBe("Script");
	expect((await program.post("/api/v1/projects", { template: "python" })).status).toBe(201);
	const stored = await world.query("SELECT personal_tokens::text AS row FROM personal_tokens");
	expect(JSON.stringify(stored)).not.toContain(made.body.token.slice(3));

	const stranger = await site.signedUp("Stranger");
	expect((await stranger.delete(`/api/v1/tokens/${made.body.id}`)).status).toBe(404);
	expect((await client.delete(`/api/v1/tokens/${made.body.id}`)).status).toBe(204);
	expect((await program.get("/api/v1/me")).status).toBe(401);
	for (const bad of ["Bearer rd_x", "Bearer x", "Basic eDp5", "Bearer rd_' OR 1=1", ""]) {
		program.headers = { authorization: bad };
		expect((await program.get("/api/v1/me")).status, bad).toBe(401);
	}
});

test("secrets are made once and readable by their owner alone", async () => {
	for (const name of ["auth-secret", "ticket-key.jwk", "node-token"]) {
		expect((await stat(join(world.secretsDirectory, name))).mode & 0o777).toBe(0o600);
	}
});
