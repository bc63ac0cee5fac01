import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { type ObjectStore, openFolderStore } from "@repldock/objects";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
	processIds,
	repldock,
	startInstanceIn,
	startTestInstance,
	stopTestInstance,
	type TestInstance,
} from "../support/instance.ts";
import { findLeftovers } from "../support/leftovers.ts";
import { lastLine, lastStoredLine, writeLines } from "../support/numbered-lines.ts";
import { cutPower } from "../support/power-cut.ts";
import { SiteClient } from "../support/site-client.ts";
import { eventually } from "../support/wait.ts";
import { WorkspaceClient } from "../support/workspace-client.ts";

/**
 * An instance of its own, for the ways in which programs, projects and the instance itself end. No tick stores anything: what is
 * durable has become so at their end.
 */
let instance: TestInstance;
let site: SiteClient;
let objects: ObjectStore;

const environment = { REPLDOCK_CHECKPOINT_EVERY: "1h", REPLDOCK_PAUSE_AFTER: "1s", REPLDOCK_IDLE_TIMEOUT: "never" };

beforeAll(async () => {
	instance = await startTestInstance(environment);
	const person = { name: "Ada", email: "ada@example.org", password: "correct horse battery" };
	site = await SiteClient.welcome(instance, person);
	objects = await openFolderStore(join(instance.data, "objects"));
}, 600_000);
afterAll(() => instance && stopTestInstance(instance), 300_000);

/** What the project's program wrote, on the node's own disk. */
async function written(projectId: string): Promise<number> {
	return lastLine(await readFile(join(instance.data, "volumes", projectId, "lines.txt"), "utf8"));
}

/** A project whose program writes all the time. Nobody but the workspace has it open. */
async function startWriting(name: string) {
	const project = await site.createProject("bash", { name });
	const workspace = await (await WorkspaceClient.open(site, project.id)).connect();
	await workspace.write("main.sh", writeLines);
	await workspace.run();
	await eventually("the first lines", async () => (await written(project.id).catch(() => 0)) > 5);
	return { projectId: project.id, workspace };
}

const stateOf = async (projectId: string) => (await site.project(projectId)).state;

/** Opens a project and starts its program once more. */
async function canGoOn(projectId: string): Promise<void> {
	const workspace = await (await WorkspaceClient.open(site, projectId)).connect();
	const last = await written(projectId);
	await workspace.run();
	await eventually("more lines", async () => (await written(projectId)) > last);
	workspace.close();
	await site.stop(projectId);
}

async function killSupervisor(): Promise<void> {
	process.kill((await processIds(instance.data)).supervisor, "SIGKILL");
}

/** A project that somebody has open, and one that sleeps. */
async function startOpenAndPaused(name: string) {
	const open = await startWriting(name);
	const paused = await startWriting(`${name} in its sleep`);
	paused.workspace.close();
	await eventually("sleep", async () => (await stateOf(paused.projectId)) === "asleep");
	return { open, paused };
}

test("what a program wrote last before its project was stopped is in the object store at once", async () => {
	const { projectId, workspace } = await startWriting("Stopped");
	await site.stop(projectId);
	await eventually("the end", async () => (await stateOf(projectId)) === "stopped");
	workspace.close();
	const last = await written(projectId);
	await eventually("the last line", async () => (await lastStoredLine(objects, projectId)) === last);
});

test("so is what it wrote before the project fell asleep", async () => {
	const { projectId, workspace } = await startWriting("Asleep");
	workspace.close();
	await eventually("sleep", async () => (await stateOf(projectId)) === "asleep");
	// It stands still a moment after it is told so.
	const isStored = async () => (await lastStoredLine(objects, projectId)) === (await written(projectId));
	await eventually("the last line", isStored);
	await site.stop(projectId);
});

test("so is what it wrote until `down` ended it, and the site has heard of it; a restart of the agent ends no program", async () => {
	const { projectId, workspace } = await startWriting("Running");
	await repldock(["restart", "agent", "--data", instance.data]);
	workspace.close();
	const again = await eventually("the project", () => WorkspaceClient.open(site, projectId).catch(() => null));
	await again.connect();
	const afterRestart = await written(projectId);
	await eventually("more lines", async () => (await written(projectId)) > afterRestart);

	await repldock(["down", "--data", instance.data]);
	const stored = await lastStoredLine(objects, projectId);
	const { unreported } = JSON.parse(await readFile(join(instance.data, "checkpoints.json"), "utf8")) as {
		unreported: unknown[];
	};
	expect(unreported).toEqual([]);
	again.close();
	instance = await startInstanceIn(instance.data, instance.httpPort, environment);
	expect(stored).toBe(await written(projectId));
}, 300_000);

test("when its supervisor was killed `down` says what goes on, and the next `up` takes it over, be projects open or paused", async () => {
	const { open, paused } = await startOpenAndPaused("Left alone");
	await killSupervisor();
	await expect(repldock(["down", "--data", instance.data])).rejects.toThrow(
		/supervisor was killed.*go on without it: .*site.*edge, agent/,
	);
	const before = await written(open.projectId);
	await eventually("more lines", async () => (await written(open.projectId)) > before);
	open.workspace.close();
	instance = await startInstanceIn(instance.data, instance.httpPort, environment);
	for (const id of [open.projectId, paused.projectId]) await canGoOn(id);
}, 300_000);

test("a machine that lost its power starts again with all that was written, be projects open or paused", async () => {
	const { open, paused } = await startOpenAndPaused("Dark");
	const before = await written(open.projectId);
	await cutPower(instance.data);
	open.workspace.close();
	expect(await findLeftovers(instance.data)).toEqual([]);
	instance = await startInstanceIn(instance.data, instance.httpPort, environment);
	expect(await written(open.projectId)).toBeGreaterThanOrEqual(before);
	for (const id of [open.projectId, paused.projectId]) await canGoOn(id);
}, 300_000);

test("a start that fails leaves nothing, also of what went on without its supervisor", async () => {
	const { workspace } = await startWriting("Left alone again");
	await killSupervisor();
	workspace.close();
	const taken = createServer((socket) => socket.destroy()).listen(0, "0.0.0.0");
	await once(taken, "listening");
	const { port } = taken.address() as AddressInfo;
	await expect(startInstanceIn(instance.data, port, environment)).rejects.toThrow(
		`Another program listens on port ${port}.`,
	);
	taken.close();
	expect(await findLeftovers(instance.data)).toEqual([]);
	instance = await startInstanceIn(instance.data, instance.httpPort, environment);
}, 300_000);

test("`down` leaves no container when the agent was killed a moment ago", async () => {
	const { workspace } = await startWriting("Killed");
	process.kill((await processIds(instance.data)).services.get("agent") ?? 0, "SIGKILL");
	await repldock(["down", "--data", instance.data]);
	workspace.close();
	expect(await findLeftovers(instance.data)).toEqual([]);
}, 300_000);
