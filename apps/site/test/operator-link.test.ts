import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createWorld, type Instance, type World } from "./support/site.ts";

// Passwords are hashed slowly on purpose, and test files share few cores.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: World;
let site: Instance;
const person = { name: "Ada", email: "ada@example.com", password: "correct horse" };

beforeAll(async () => {
	world = await createWorld();
	site = await world.startInstance();
});
afterAll(() => world.stop());

async function newToken(): Promise<string> {
	const link = new URL(await world.operatorLink());
	expect(link.origin + link.pathname).toBe("http://localhost:8080/welcome");
	return link.searchParams.get("token") ?? "";
}

test("the one-time link makes the first administrator once, and later links sign them in", async () => {
	const [first, second] = [await newToken(), await newToken()];
	expect((await site.client().post("/api/v1/welcome", { token: "made up", ...person })).body.code).toBe(
		"wrong_credentials",
	);

	// Wrong inputs do not use the link up.
	const missing = await site.client().post("/api/v1/welcome", { token: first });
	expect(missing.body).toMatchObject({ status: 400, code: "invalid_input" });
	expect(Object.keys(missing.body.fields).sort()).toEqual(["email", "name", "password"]);
	const short = await site.client().post("/api/v1/welcome", { token: first, ...person, password: "short" });
	expect(short.body.fields).toHaveProperty("password");
	await site.signedUp("Taken");
	const taken = await site.client().post("/api/v1/welcome", { token: first, ...person, email: "taken@example.com" });
	expect(taken.body.code).toBe("already_exists");

	// Of several people who use it at once, one succeeds.
	const clients = Array.from({ length: 5 }, () => site.client());
	const answers = await Promise.all(
		clients.map((client, index) =>
			client.post("/api/v1/welcome", { token: first, ...person, email: `ada${index}@example.com` }),
		),
	);
	expect(answers.map((answer) => answer.status).sort()).toEqual([200, 401, 401, 401, 401]);
	const winner = answers.findIndex((answer) => answer.status === 200);
	expect((await clients[winner]?.get("/api/v1/me"))?.body).toMatchObject({ name: "Ada", role: "admin" });
	expect((await clients[winner]?.get("/api/v1/users"))?.status).toBe(200);

	// An older link that was never used makes no second administrator.
	expect((await site.client().post("/api/v1/welcome", { token: second, ...person })).status).toBe(401);

	const signIn = await newToken();
	const operator = site.client();
	expect((await operator.post("/api/v1/welcome", { token: signIn })).body.role).toBe("admin");
	expect((await operator.get("/api/v1/me")).body.role).toBe("admin");
	expect((await site.client().post("/api/v1/welcome", { token: signIn })).status).toBe(401);
	expect((await site.client().signIn(`ada${winner}@example.com`, person.password)).status).toBe(200);
});

test("a link ends after a day", async () => {
	const token = await newToken();
	await world.query("UPDATE operator_links SET expires_at = expires_at - interval '24 hours'");
	expect((await site.client().post("/api/v1/welcome", { token })).status).toBe(401);
});

test("an administrator closes registration; the link still works", async () => {
	const operator = site.client();
	await operator.post("/api/v1/welcome", { token: await newToken() });
	expect((await operator.patch("/api/v1/settings", { registration: "closed" })).body).toEqual({
		registration: "closed",
	});
	const answer = await site.client().post("/api/auth/sign-up/email", { ...person, email: "late@example.com" });
	expect(answer).toMatchObject({ status: 403, body: { code: "registration_closed" } });
	expect(await world.query("SELECT FROM users WHERE email = 'late@example.com'")).toHaveLength(0);
	expect((await operator.patch("/api/v1/settings", { registration: "ajar" })).status).toBe(400);
	expect((await operator.patch("/api/v1/settings", { registration: "open" })).body).toEqual({ registration: "open" });
	expect((await site.client().post("/api/auth/sign-up/email", { ...person, email: "late@example.com" })).status).toBe(
		200,
	);
});
