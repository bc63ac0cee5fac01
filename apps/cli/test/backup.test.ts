import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ObjectStore, openFolderStore } from "@repldock/objects";
import { runCommand } from "@repldock/service";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { type ObjectServer, startObjectServer } from "../../../tests/support/object-server.ts";
import { withDatabase } from "../src/backup/database.ts";
import { assertRestored, restoringMark } from "../src/backup/unfinished.ts";
import { backup } from "../src/commands/backup.ts";
import { restore } from "../src/commands/restore.ts";
import { systemUser } from "../src/machine/users.ts";
import { readSettings, type Settings } from "../src/settings.ts";
import { prepareData } from "../src/supervisor/instance.ts";

// A cluster is made, started and stopped for each restore.
vi.setConfig({ testTimeout: 240_000 });

let root: string;
let server: ObjectServer;
let s3: Record<string, string>;
let instance: Settings;
let objects: ObjectStore;

const rows = "1|ada's project\n2|ünïcode\n";

function settingsOf(data: string, words: string[] = [], environment: Record<string, string> = {}): Settings {
	return readSettings([...words, "--data", join(root, data)], { ...environment, PATH: process.env.PATH });
}

/** Looks into, or changes, the private cluster of an instance that does not run. */
function query(settings: Settings, sql: string): Promise<string> {
	return withDatabase(settings, ({ host = "", user = "", dbname = "" }) =>
		runCommand("psql", ["-AtXq", "-v", "ON_ERROR_STOP=1", "-h", host, "-U", user, "-d", dbname], {
			input: sql,
			directory: "/",
		}),
	);
}

async function textOf(store: ObjectStore, key: string): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of await store.get(key)) chunks.push(chunk);
	return Buffer.concat(chunks).toString();
}

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
	const keys: string[] = [];
	for await (const { key } of store.list(prefix)) keys.push(key);
	return keys;
}

beforeAll(async () => {
	root = await mkdtemp(join(tmpdir(), "rd-backup-"));
	await chmod(root, 0o755);
	server = await startObjectServer({ pageKeys: 2 });
	const secretFile = join(root, "s3-secret");
	await writeFile(secretFile, `${server.credentials.secretAccessKey}\n`, { mode: 0o600 });
	s3 = {
		REPLDOCK_S3_ENDPOINT: server.url,
		REPLDOCK_S3_REGION: server.credentials.region,
		REPLDOCK_S3_ACCESS_KEY_ID: server.credentials.accessKeyId,
		REPLDOCK_S3_SECRET_ACCESS_KEY_FILE: secretFile,
	};
	instance = settingsOf("one");
	await prepareData(instance);
	await writeFile(join(instance.data, "secrets/site/ticket-key.jwk"), '{"kty":"OKP"}\n', { mode: 0o600 });
	await query(instance, "create table projects (id int primary key, name text);");
	await query(instance, "insert into projects values (1, 'ada''s project'), (2, 'ünïcode');");
	const id = "project_id text, generation int, sequence int";
	await query(instance, `create table checkpoints (${id}, name text, object_key text);`);
	await query(instance, `create table damaged_checkpoints (${id}, problem text);`);
	await query(instance, "create table object_index (knows_since timestamptz);");
	await query(instance, "insert into object_index values ('1970-01-01Z');");
	objects = await openFolderStore(join(instance.data, "objects"));
	for (const key of ["projects/a/1/1", "projects/a/1/2", "packs/x", "other/garbage"]) {
		await objects.put(key, Buffer.from(`the bytes of ${key}`));
	}
});

afterAll(async () => {
	await server.close();
	await rm(root, { recursive: true, force: true });
});

async function expectRestored(restored: Settings) {
	expect(await query(restored, "select * from projects order by id;")).toBe(rows);
	// What was stored since the backup is not known to it, and must not be taken for garbage.
	expect(await query(restored, "select now() - knows_since < '1 hour' from object_index;")).toBe("t\n");
	for (const file of [
		"site/auth-secret",
		"site/ticket-key.jwk",
		"site/node-token",
		"node/access-secret",
		"node/node-token",
	]) {
		const path = join("secrets", file);
		expect(await readFile(join(restored.data, path), "utf8")).toBe(await readFile(join(instance.data, path), "utf8"));
		const { mode, uid } = await stat(join(restored.data, path));
		expect(mode & 0o777).toBe(0o600);
		expect(uid).toBe(file.startsWith("site/") ? (await systemUser(restored.systemUser)).uid : 0);
	}
	const store = await openFolderStore(join(restored.data, "objects"));
	expect(await keysOf(store, "")).toEqual(["packs/x", "projects/a/1/1", "projects/a/1/2"]);
	expect(await textOf(store, "projects/a/1/2")).toBe("the bytes of projects/a/1/2");
	expect(() => assertRestored(restored.data)).not.toThrow();
	expect((await readdir(restored.data)).sort()).toEqual(["logs", "objects", "postgres", "run", "secrets"]);
}

for (const [name, place, environment] of [
	["a folder", () => `folder:${join(root, "backups")}`, () => ({})],
	["S3", () => `s3://${server.bucket}/of/ours`, () => s3],
] as const) {
	test(`an instance comes back onto an empty machine directory from ${name}, to the last row, secret and object`, async () => {
		const there = settingsOf("one", ["backup", "--to", place()], environment());
		expect(await backup(there)).toBe(0);
		const back = settingsOf(`back-from-${name.replace(" ", "-")}`, ["restore", "--from", place()], environment());
		expect(await restore(back)).toBe(0);
		await expectRestored(back);
	});
}

test("a second backup copies no object again, and either can be restored", async () => {
	const place = join(root, "twice");
	const to = settingsOf("one", ["backup", "--to", `folder:${place}`]);
	await backup(to);
	const copy = join(place, "projects/a/1/1");
	const before = await stat(copy);
	await objects.put("projects/b/1/1", Buffer.from("new"));
	await backup(to);
	expect((await stat(copy)).ino).toBe(before.ino);
	await objects.remove(["projects/b/1/1"]);

	const store = await openFolderStore(place);
	const [first = "", second = ""] = (await keysOf(store, "backups/"))
		.filter((key) => key.endsWith("manifest.json"))
		.map((key) => key.split("/")[1] ?? "");
	const old = settingsOf("twice-old", ["restore", "--from", `folder:${place}`, "--time", first]);
	await restore(old);
	await expectRestored(old);
	const recent = settingsOf("twice-new", ["restore", "--from", `folder:${place}`, "--time", second]);
	await restore(recent);
	expect(await textOf(await openFolderStore(join(recent.data, "objects")), "projects/b/1/1")).toBe("new");
});

test("a backup in the instance's own store copies nothing, and a restored instance goes on with that store", async () => {
	const place = join(root, "shared");
	const shared = await openFolderStore(place);
	await shared.put("projects/a/1/1", Buffer.from("kept once"));
	const environment = { REPLDOCK_OBJECTS: `folder:${place}` };
	await backup(settingsOf("one", ["backup"], environment));
	const back = settingsOf("shared-back", ["restore", "--from", `folder:${place}`], environment);
	await restore(back);
	expect(await query(back, "select * from projects order by id;")).toBe(rows);
	expect(await readdir(back.data)).not.toContain("objects");

	await shared.remove(["projects/a/1/1"]);
	const again = settingsOf("shared-again", ["restore", "--from", `folder:${place}`], environment);
	await expect(restore(again)).rejects.toThrow(/projects\/a\/1\/1.*lacks/);
});

test("a restore overwrites nothing: a directory with anything in it is refused and left as it is", async () => {
	const full = settingsOf("full", ["restore", "--from", `folder:${join(root, "backups")}`]);
	await mkdir(full.data);
	await writeFile(join(full.data, "thesis.txt"), "mine");
	await expect(restore(full)).rejects.toThrow(/not empty/);
	expect(await readdir(full.data)).toEqual(["thesis.txt"]);
	await expect(restore(settingsOf("none", ["restore", "--from", `folder:${join(root, "absent")}`]))).rejects.toThrow(
		/no folder/,
	);
	expect(await readdir(root)).not.toContain("absent");
});

test("half a backup is none: it is refused by name and passed over for an older whole one", async () => {
	const place = join(root, "half");
	const store = await openFolderStore(place);
	// As a backup that was killed leaves it.
	await store.put("backups/2999-01-01T00-00-00.000Z/database.dump", Buffer.from("PGDMP"));
	const only = settingsOf("half-back", ["restore", "--from", `folder:${place}`]);
	await expect(restore(only)).rejects.toThrow(/none that was finished/);
	await backup(settingsOf("one", ["backup", "--to", `folder:${place}`]));
	const named = settingsOf("half-back", [
		...["restore", "--from", `folder:${place}`],
		...["--time", "2999-01-01T00-00-00.000Z"],
	]);
	await expect(restore(named)).rejects.toThrow(/not finished/);
	await restore(only);
	await expectRestored(only);
});

for (const part of ["database.dump", "secrets.json", "objects.jsonl"]) {
	test(`a backup whose ${part} was exchanged is refused, and nothing of it stays`, async () => {
		const place = join(root, `exchanged-${part}`);
		await backup(settingsOf("one", ["backup", "--to", `folder:${place}`]));
		const store = await openFolderStore(place);
		const key = (await keysOf(store, "backups/")).find((key) => key.endsWith(part)) ?? "";
		await store.put(key, Buffer.from(part.endsWith("l") ? "" : '{"site":{},"node":{}}'));
		const back = settingsOf(`exchanged-back-${part}`, ["restore", "--from", `folder:${place}`]);
		await expect(restore(back)).rejects.toThrow(/not what its manifest names|not the list/);
		expect(await readdir(root)).not.toContain(`exchanged-back-${part}`);
		await mkdir(back.data);
		await expect(restore(back)).rejects.toThrow();
		expect(await readdir(back.data)).toEqual([]);
	});
}

test("an object that is damaged in the backup ends the restore", async () => {
	const place = join(root, "damaged");
	await backup(settingsOf("one", ["backup", "--to", `folder:${place}`]));
	const file = join(place, "projects/a/1/1");
	const bytes = await readFile(file);
	bytes[0] = 0;
	await writeFile(file, bytes);
	const back = settingsOf("damaged-back", ["restore", "--from", `folder:${place}`]);
	await expect(restore(back)).rejects.toMatchObject({ code: "corrupt" });
	expect(await readdir(root)).not.toContain("damaged-back");
});

test("a dump that breaks off makes no backup", async () => {
	const place = join(root, "broken-dump");
	const broken = settingsOf("one", ["backup", "--to", `folder:${place}`], {
		DATABASE_URL: `postgresql://nobody@/absent?host=${encodeURIComponent(join(root, "no-socket"))}`,
	});
	await expect(backup(broken)).rejects.toThrow(/could not be dumped/);
	expect(await keysOf(await openFolderStore(place), "")).toEqual([]);
});

test("a backup that the store refuses is no backup, and says so", async () => {
	server.fail({ status: 403, code: "AccessDenied" }, { when: ({ key }) => key.includes("objects.jsonl") });
	const to = settingsOf("one", ["backup", "--to", `s3://${server.bucket}/refused`], s3);
	await expect(backup(to)).rejects.toMatchObject({ code: "refused" });
	server.recover();
	const from = settingsOf("refused-back", ["restore", "--from", `s3://${server.bucket}/refused`], s3);
	await expect(restore(from)).rejects.toThrow(/none that was finished/);
});

test("a backup that lacks an object which its dump needs is none and says so, unless the database knows of the loss", async () => {
	const place = join(root, "lacking");
	const to = settingsOf("one", ["backup", "--to", `folder:${place}`]);
	const lost = "insert into checkpoints values ('b', 1, 1, E'a\u2028name', 'projects/b/1/1');";
	await query(instance, `insert into checkpoints values ('a', 1, 1, null, 'projects/a/1/1'); ${lost}`);
	await expect(backup(to)).rejects.toThrow("projects/b/1/1");
	const store = await openFolderStore(place);
	expect((await keysOf(store, "backups/")).filter((key) => key.endsWith("manifest.json"))).toEqual([]);
	expect(await keysOf(objects, "backups/")).toEqual([]);
	await query(instance, "insert into damaged_checkpoints values ('b', 1, 1, 'missing');");
	expect(await backup(to)).toBe(0);
	await query(instance, "delete from checkpoints; delete from damaged_checkpoints;");
});

test("a mark stands in the instance's own store from before the dump until the backup is whole", async () => {
	const own = { ...s3, REPLDOCK_OBJECTS: `s3://${server.bucket}/marked` };
	server.requests.length = 0;
	await backup(settingsOf("one", ["backup", "--to", `s3://${server.bucket}/elsewhere`], own));
	const at = (wanted: RegExp) => server.requests.findIndex(({ method, key }) => wanted.test(`${method} ${key}`));
	const [mark, dump, manifest] = [/^PUT marked.*begun$/, /^PUT else.*database\.dump$/, /^PUT else.*manifest/].map(at);
	expect(mark).toBeGreaterThanOrEqual(0);
	expect(dump).toBeGreaterThan(mark ?? 0);
	const unmarked = server.requests.findIndex(({ method, query }) => method === "POST" && query.includes("delete"));
	expect(unmarked).toBeGreaterThan(manifest ?? 0);
	expect([...server.state.objects.keys()].filter((key) => key.endsWith("begun"))).toEqual([]);
});

test("a backup that is interrupted leaves no mark, so that garbage goes on being removed", async () => {
	const own = { ...s3, REPLDOCK_OBJECTS: `s3://${server.bucket}/interrupted` };
	server.fail("hang", { when: ({ key }) => key.endsWith("database.dump") });
	const program = fileURLToPath(new URL("../src/main.ts", import.meta.url));
	const words = ["backup", "--to", `s3://${server.bucket}/interrupted-to`, "--data", join(root, "one")];
	const temporary = await mkdtemp(join(root, "temporary-"));
	const env = { ...process.env, ...own, TMPDIR: temporary };
	const child = spawn(process.execPath, [program, ...words], { env, stdio: "ignore" });
	const marks = () => [...server.state.objects.keys()].filter((key) => key.endsWith("begun"));
	const isDumped = () => server.requests.some(({ key }) => /^interrupted-to.*dump$/.test(key));
	await vi.waitFor(() => expect(isDumped()).toBe(true), 60_000);
	expect(marks()).toHaveLength(2);
	child.kill("SIGINT");
	expect(await once(child, "exit")).toEqual([130, null]);
	expect(await readdir(temporary)).toEqual([]);
	server.recover();
	expect(marks()).toEqual([]);
	// What was started for it has ended.
	await vi.waitFor(async () => expect(await query(instance, "select 1;")).toBe("1\n"), 60_000);
});

test("--keep removes older backups and what they alone need, also when an earlier removal broke off; half ones go after a week", async () => {
	const place = `s3://${server.bucket}/kept`;
	const to = (...words: string[]) => settingsOf("one", ["backup", "--to", place, ...words], s3);
	const names = () => [...server.state.objects.keys()].flatMap((key) => (key.startsWith("kept/") ? key.slice(5) : []));
	const times = () => new Set(names().flatMap((key) => /^backups\/([^/]+)/.exec(key)?.[1] ?? []));
	await objects.put("projects/old/1/1", Buffer.from("old"));
	await backup(to());
	await objects.remove(["projects/old/1/1"]);
	await objects.put("projects/both/1/1", Buffer.from("both"));
	await backup(to());
	await backup(to());
	expect(times().size).toBe(3);
	expect(names()).toContain("projects/old/1/1");

	// The mark goes, then the older ones' manifests and dumps; their objects do not.
	let removals = 0;
	const when = ({ method }: { method: string }) => method === "POST" && ++removals === 3;
	server.fail({ status: 403, code: "AccessDenied" }, { when });
	await expect(backup(to("--keep", "2"))).rejects.toMatchObject({ code: "refused" });
	server.recover();
	expect(names().filter((key) => key.endsWith("manifest.json"))).toHaveLength(2);
	expect(names()).toContain("projects/old/1/1");

	await objects.remove(["projects/both/1/1"]);
	await backup(to("--keep", "2"));
	expect(times().size).toBe(4);
	server.setClock(8 * 24 * 60 * 60 * 1000);
	onTestFinished(() => server.setClock(0));
	await backup(to());
	expect(times().size).toBe(3);
	expect(names()).not.toContain("projects/old/1/1");
	expect(names()).toContain("projects/both/1/1");
	await backup(to("--keep", "1"));
	expect(times().size).toBe(1);
	expect(names()).not.toContain("projects/both/1/1");
	server.setClock(0);
	const back = settingsOf("kept-back", ["restore", "--from", place], s3);
	await restore(back);
	await expectRestored(back);
});

test("no object goes while another backup may build on it, or from a store that an instance works with", async () => {
	const place = join(root, "guarded");
	const store = await openFolderStore(place);
	const to = (...words: string[]) => settingsOf("one", ["backup", "--to", `folder:${place}`, ...words]);
	await objects.put("projects/old/1/1", Buffer.from("old"));
	await backup(to());
	await objects.remove(["projects/old/1/1"]);

	const mark = "backups/2999-01-01T00-00-00.000Z/begun";
	await store.put(mark, Buffer.from(""));
	await expect(backup(to("--keep", "1"))).rejects.toThrow("Another backup, 2999");
	expect(await keysOf(store, "projects/old/")).toHaveLength(1);
	await store.remove([mark]);
	await objects.put("projects/later/1/1", Buffer.from("later"));
	await backup(to());
	await objects.remove(["projects/later/1/1"]);
	await store.put("projects/foreign/1/1", Buffer.from("an instance's own"));
	await expect(backup(to("--keep", "1"))).rejects.toThrow("projects/foreign/1/1");
	expect(await keysOf(store, "projects/")).toEqual(
		expect.arrayContaining(["projects/foreign/1/1", "projects/later/1/1", "projects/old/1/1"]),
	);
});

test("an instance whose restore was killed does not start as if it were whole", async () => {
	const killed = join(root, "killed");
	await mkdir(killed);
	await writeFile(restoringMark(killed), "");
	expect(() => assertRestored(killed)).toThrow(/did not finish/);
});
