import { type ChildProcess, execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type ClientRequest, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openDatabase } from "../src/store/database.ts";
import { migrate } from "../src/store/migrate.ts";
import { createWorld, type World } from "./support/site.ts";

// Passwords are hashed slowly on purpose, and test files share few cores.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: World;
let directory: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
	world = await createWorld();
	directory = await mkdtemp(join(tmpdir(), "repldock-start-"));
});
afterAll(async () => {
	for (const child of children) child.kill("SIGKILL");
	await world.stop();
	await rm(directory, { recursive: true, force: true });
});

function open(database: string) {
	return openDatabase({ host: world.cluster.socketDirectory, database, user: "repldock" }, 4, () => undefined);
}

test("instances that start at once on an empty database apply each migration once", async () => {
	await world.cluster.createDatabase("fresh");
	const pools = Array.from({ length: 4 }, () => open("fresh"));
	const applied = await Promise.all(pools.map((pool) => migrate(pool)));
	expect(applied.filter((files) => files.length > 0)).toHaveLength(1);
	const rows = await world.cluster.query("fresh", "SELECT name FROM migrations ORDER BY name");
	expect(rows.map((row) => row.name)).toEqual(applied.flat());
	await Promise.all(pools.map((pool) => pool.destroy()));
});

test("a migration that fails leaves nothing of itself, and a newer version's database is refused", async () => {
	await world.cluster.createDatabase("odd");
	const pool = open("odd");
	const migrations = join(directory, "migrations");
	await mkdir(migrations);
	await writeFile(join(migrations, "0001-good.sql"), "CREATE TABLE good (id integer);");
	await writeFile(join(migrations, "0002-bad.sql"), "CREATE TABLE half (id integer); SELECT nonsense;");
	await expect(migrate(pool, migrations)).rejects.toThrow(/nonsense/);
	expect(await world.cluster.query("odd", "SELECT to_regclass('good') AS good, to_regclass('half') AS half")).toEqual([
		{ good: "good", half: null },
	]);
	await writeFile(join(migrations, "0002-bad.sql"), "CREATE TABLE half (id integer);");
	expect(await migrate(pool, migrations)).toEqual(["0002-bad.sql"]);
	await rm(join(migrations, "0002-bad.sql"));
	await expect(migrate(pool, migrations)).rejects.toThrow(/newer version/);
	await pool.destroy();
});

test("two instances start together on one database and share their secrets", async () => {
	const [one, other] = await Promise.all([world.startInstance(), world.startInstance()]);
	const client = await one.signedUp("Roamer");
	expect((await client.at(other).get("/api/v1/me")).body.name).toBe("Roamer");
	expect((await client.at(other).post("/api/v1/projects", { template: "python" })).status).toBe(201);
	await Promise.all([one.close(), other.close()]);
});

test("health says whether the database can be reached", async () => {
	const site = await world.startInstance();
	expect(await site.client().get("/healthz")).toMatchObject({ status: 200, body: { status: "ok" } });
	await site.close();
});

test("without built pages the API answers and pages say what to do; with them they get their locals and a policy", async () => {
	const bare = await world.startInstance();
	const answer = await bare.client().get("/");
	expect(answer.status).toBe(503);
	expect(answer.body).toContain("npm run build");
	await bare.close();

	const dist = join(directory, "dist");
	await mkdir(join(dist, "server"), { recursive: true });
	await mkdir(join(dist, "client/_astro"), { recursive: true });
	await writeFile(join(dist, "client/_astro/app.abc123.js"), "export {}");
	// What the Astro adapter's entry is to us: a middleware that gets locals and calls next for what it does not know.
	await writeFile(
		join(dist, "server/entry.mjs"),
		`export function handler(request, response, next, locals) {
			if (request.url !== "/") return next();
			response.writeHead(200, { "content-type": "application/json" });
			response.end(JSON.stringify(locals));
		}`,
	);
	const site = await world.startInstance({ REPLDOCK_SITE_DIST_DIRECTORY: dist });
	await world.query(
		`INSERT INTO nodes (name, gateway_url, slots, session_id, last_seen_at)
		VALUES ('far', 'https://far.example:444', 1, gen_random_uuid(), now())`,
	);
	const client = await site.signedUp("Reader");
	const page = await client.get("/");
	expect(page.body).toMatchObject({
		user: { name: "Reader", role: "user" },
		siteUrl: "http://localhost:8080",
		appsDomain: "localhost",
		registrationOpen: true,
		needsFirstAdministrator: true,
	});
	const policy = page.headers.get("content-security-policy") ?? "";
	expect(policy).toContain("connect-src 'self' https://far.example:444 wss://far.example:444;");
	expect(policy).toContain("frame-src http://*.localhost:*");
	expect(policy).toContain("frame-ancestors 'none'");
	expect(policy).toMatch(/script-src 'self' ('sha256-[\w+/=]+' ?)+;/);
	expect(page.headers.get("x-content-type-options")).toBe("nosniff");
	expect((await client.get("/missing")).status).toBe(404);
	expect((await site.client().get("/")).body.user).toBeNull();
	const asset = await client.get("/_astro/app.abc123.js");
	expect(asset.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
	expect((await client.get("/_astro/..%2f..%2fserver/entry.mjs")).status).toBe(404);
	await site.close();
});

test("on a unix socket the program serves, prints operator links, and ends within 5 s of SIGTERM", async () => {
	const socketPath = join(directory, "site.sock");
	const environment = {
		...process.env,
		REPLDOCK_DATABASE_SOCKET_DIRECTORY: world.cluster.socketDirectory,
		REPLDOCK_DATABASE_NAME: world.database,
		REPLDOCK_SECRETS_DIRECTORY: world.secretsDirectory,
		REPLDOCK_TEMPLATES_DIRECTORY: join(world.secretsDirectory, ".."),
		REPLDOCK_SITE_SOCKET: socketPath,
	};
	const program = join(import.meta.dirname, "../src/server.ts");
	const link = await promisify(execFile)(process.execPath, [program, "operator-link"], { env: environment });
	expect(link.stdout).toMatch(/^http:\/\/localhost:8080\/welcome\?token=[\w-]{43}\n$/);

	const child = execFile(process.execPath, [program], { env: environment });
	children.push(child);
	const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
	await new Promise<void>((resolve, reject) => {
		child.stdout?.on("data", (text: string) => text.includes("site is up") && resolve());
		ended.then((code) => reject(new Error(`The site ended with ${code}.`)));
	});
	const status = await new Promise((resolve, reject) => {
		const sent: ClientRequest = request(
			{ socketPath, path: "/healthz", headers: { host: "localhost" } },
			(response) => {
				response.resume();
				resolve(response.statusCode);
			},
		);
		sent.once("error", reject).end();
	});
	expect(status).toBe(200);
	// A second program must not take the socket over.
	const second = await promisify(execFile)(process.execPath, [program], { env: environment, timeout: 20_000 }).catch(
		(error) => error,
	);
	expect(second.code).toBe(1);
	expect(second.stderr).toContain("Another program listens");

	child.kill("SIGTERM");
	expect(await ended).toBe(0);
});

test("a wrong configuration is told in full", async () => {
	const program = join(import.meta.dirname, "../src/server.ts");
	const environment = { PATH: process.env.PATH, REPLDOCK_SITE_URL: "nowhere", REPLDOCK_LOG_LEVEL: "loud" };
	const failed = await promisify(execFile)(process.execPath, [program], { env: environment, timeout: 20_000 }).catch(
		(error) => error,
	);
	expect(failed.code).toBe(1);
	for (const variable of [
		"REPLDOCK_SITE_URL",
		"REPLDOCK_LOG_LEVEL",
		"REPLDOCK_SECRETS_DIRECTORY",
		"REPLDOCK_TEMPLATES_DIRECTORY",
	]) {
		expect(failed.stderr).toContain(variable);
	}
});
