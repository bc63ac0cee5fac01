import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Project } from "@repldock/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
	queryInstance,
	repldock,
	startInstanceIn,
	startTestInstance,
	stopTestInstance,
	type TestInstance,
} from "../support/instance.ts";
import { SiteClient } from "../support/site-client.ts";
import { eventually } from "../support/wait.ts";
import { WorkspaceClient } from "../support/workspace-client.ts";

/** An instance of its own, for its database is deleted. The steps are those of docs/STORAGE.md, "The database is lost". */
let instance: TestInstance;

const person = { name: "Ada", email: "ada@example.org", password: "correct horse battery" };

beforeAll(async () => {
	instance = await startTestInstance();
}, 600_000);
afterAll(() => instance && stopTestInstance(instance), 120_000);

interface Rebuilt {
	projects: number;
	checkpoints: number;
	moved: number;
	problems: string[];
}

async function rebuild(): Promise<Rebuilt> {
	return JSON.parse(await repldock(["rebuild-index", "--json", "--data", instance.data]));
}

interface DoctorFinding {
	name: string;
	state: string;
}

async function doctorStates(): Promise<Record<string, string>> {
	const output = await repldock(["doctor", "--json", "--data", instance.data]);
	const { findings } = JSON.parse(output) as { findings: DoctorFinding[] };
	return Object.fromEntries(findings.map(({ name, state }) => [name, state]));
}

/** Makes a project with an edit, and waits until that is durable. */
async function makeProject(site: SiteClient, name: string) {
	const project = await site.createProject("bash", { name });
	const workspace = await WorkspaceClient.open(site, project.id);
	await workspace.connect();
	for (const text of ["first", `work of ${name}`]) {
		await workspace.write("mine.txt", text);
		const savedAtMs = Date.now();
		await eventually("durable", () => Date.parse(workspace.state.durability.upTo ?? "") >= savedAtMs);
	}
	workspace.close();
	return project;
}

/** A fork that its node does not copy, since it seems full: nothing is made of it before somebody opens it. */
async function forkUnopened(site: SiteClient, originId: string): Promise<Project> {
	await queryInstance(instance.data, "UPDATE nodes SET slots = 1");
	return site.call<Project>("POST", `/projects/${originId}/fork`, { name: "Never opened" });
}

async function openAgain(site: SiteClient, projectId: string): Promise<WorkspaceClient> {
	const workspace = await eventually("the project", () => WorkspaceClient.open(site, projectId).catch(() => null));
	return workspace.connect();
}

test("with the database deleted and the volumes lost, every project comes back from the objects alone, and goes on", async () => {
	const before = await SiteClient.welcome(instance, person);
	const names = ["Ärger im Netz", "Second", "Third"];
	const projects = [];
	for (const name of names) projects.push(await makeProject(before, name));
	const unopened = await forkUnopened(before, projects[0]?.id ?? "");
	await repldock(["down", "--data", instance.data]);

	await rm(join(instance.data, "postgres"), { recursive: true });
	for (const name of ["volumes.img", "checkpoints.json"]) await rm(join(instance.data, name));
	const objects = join(instance.data, "objects");
	const [node = ""] = await readdir(join(objects, "packs"));
	await writeFile(join(objects, "packs", node, "000000000000001-0"), "none of ours");

	instance = await startInstanceIn(instance.data, instance.httpPort);
	await expect(rebuild()).rejects.toThrow("no administrator");
	expect(await doctorStates()).toMatchObject({ garbage: "warning" });
	const site = await SiteClient.welcome(instance, person);
	// Somebody was faster, and has one's address now.
	await site.createProject("bash", { name: "Second" });

	await expect(rebuild()).rejects.toThrow("000000000000001-0");
	await rm(join(objects, "packs", node, "000000000000001-0"));
	expect(await rebuild()).toMatchObject({ projects: 0, checkpoints: 0, moved: 0, problems: [] });

	for (const [at, { id, slug }] of projects.entries()) {
		const found = await site.project(id);
		expect(found).toMatchObject({ name: names[at], visibility: "private", template: "bash" });
		expect(found.slug).toBe(at === 1 ? "second-2" : slug);
		const workspace = await openAgain(site, id);
		expect(await workspace.read("mine.txt")).toBe(`work of ${names[at]}`);
		await workspace.write("mine.txt", "later work");
		const savedAtMs = Date.now();
		await eventually("durable", () => Date.parse(workspace.state.durability.upTo ?? "") >= savedAtMs);
		workspace.close();
	}
	const fork = await site.project(unopened.id);
	expect(fork).toMatchObject({ name: "Never opened", slug: unopened.slug, openedAt: expect.anything() });
	const workspace = await openAgain(site, unopened.id);
	expect(await workspace.read("mine.txt")).toBe("work of Ärger im Netz");
	workspace.close();
	expect(await rebuild()).toMatchObject({ projects: 0, checkpoints: 0, moved: 0, problems: [] });
}, 600_000);

test("on a living database nothing is changed, running or not, and doctor finds all well", async () => {
	expect(await rebuild()).toMatchObject({ projects: 0, checkpoints: 0, moved: 0, problems: [] });
	const well = { volumes: "ok", "object store": "ok", checkpoints: "ok", garbage: "ok", damage: "ok" };
	expect(await doctorStates()).toMatchObject(well);
	await repldock(["down", "--data", instance.data]);
	expect(await rebuild()).toMatchObject({ projects: 0, checkpoints: 0, moved: 0, problems: [] });
}, 300_000);
