import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "@repldock/service";
import { afterAll, beforeAll, expect, test } from "vitest";
import { repldock, startTestInstance, stopTestInstance, type TestInstance } from "../support/instance.ts";
import { SiteClient } from "../support/site-client.ts";
import { eventually } from "../support/wait.ts";
import { WorkspaceClient } from "../support/workspace-client.ts";

/** An instance of its own: it reads all objects back every few seconds, and stores volumes when it is asked to. */
let instance: TestInstance;

const person = { name: "Ada", email: "ada@example.org", password: "correct horse battery" };

beforeAll(async () => {
	instance = await startTestInstance({ REPLDOCK_SCRUB_EVERY: "5s", REPLDOCK_CHECKPOINT_EVERY: "1h" });
}, 600_000);
afterAll(() => instance && stopTestInstance(instance), 120_000);

/** What `./repldock doctor` says of damage; it exits with 1 when something is wrong. */
async function damage(): Promise<string> {
	const said = await repldock(["doctor", "--data", instance.data]).catch((error: Error) => error.message);
	return /.*damage: .*/.exec(said)?.[0] ?? said;
}

/** Those of checkpoints. */
async function objects(): Promise<string[]> {
	const entries = await readdir(join(instance.data, "objects"), { recursive: true, withFileTypes: true });
	const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
	return files.filter((file) => /\/objects\/(packs|projects)\//.test(file));
}

test("a flipped bit in the object store is told by doctor, and the node stores what it has anew", async () => {
	const site = await SiteClient.welcome(instance, person);
	const project = await site.createProject("bash");
	const workspace = await (await WorkspaceClient.open(site, project.id)).connect();
	await workspace.write("mine.txt", "my work");
	await workspace.request("POST", "/versions", JSON.stringify({ name: "Whole" }), "application/json");
	expect(await damage()).toMatch(/✓ damage: none/);
	const before = await objects();
	const [object = ""] = before;
	expect(before).toHaveLength(1);

	const bytes = await readFile(object);
	bytes[40] = (bytes[40] ?? 0) ^ 1;
	await writeFile(object, bytes);
	await eventually("the page's word", () => workspace.state.durability.problem?.includes("damaged"), 60_000);
	expect(await damage()).toContain(`✗ damage: the present state of ${project.id} is damaged in the store`);

	// At rest what is not durable is stored at once.
	workspace.close();
	await site.stop(project.id);
	await eventually("a new object", async () => (await objects()).length > 1, 60_000);
	await eventually("doctor's word", async () => /! damage: 1 old versions/.test(await damage()), 120_000);

	// The old object is of no use for anything any more: the new one holds all.
	await rm(object);
	await runCommand("btrfs", ["subvolume", "delete", join(instance.data, "volumes", project.id)]);
	await rm(join(instance.data, "checkpoints.json"));
	await repldock(["restart", "agent", "--data", instance.data]);
	const restored = await eventually("the project", () => WorkspaceClient.open(site, project.id).catch(() => null));
	expect(await restored.read("mine.txt")).toBe("my work");
}, 400_000);
