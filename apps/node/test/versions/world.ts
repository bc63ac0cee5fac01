import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { VersionRestored } from "@repldock/protocol";
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from "vitest";
import { type CheckpointNode, type Cluster, startCluster } from "../checkpoints/rig.ts";
import { findLeftovers } from "../host/machine.ts";
import { createPage, type Page } from "../workspace/rig.ts";
import { startVersionRig, type VersionRig } from "./rig.ts";

/** One node for all tests of a file, since its start takes longer than they do, and a project on it for each of them. */
export interface World {
	readonly cluster: Cluster;
	readonly node: CheckpointNode;
	readonly mountPoint: string;
	/** The test's project. */
	rig: VersionRig;
	/** Another one, released with the test. */
	start(options?: Parameters<typeof startVersionRig>[3]): Promise<VersionRig>;
	/** Host path of a path in the test's project. */
	at(path: string): string;
	/** Asks for a restore, and expects nothing of the answer. */
	restore(id: string, path?: string): ReturnType<VersionRig["project"]>;
	/** @returns the version by which the restore is undone. */
	restored(id: string, path?: string): Promise<string>;
	/** A page that has the file open. */
	openPage(path: string, name?: string): Promise<Page>;
}

/** To be called once, where a file of tests begins. */
export function openWorld(): World {
	vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
	const rigs: VersionRig[] = [];
	const pages: Page[] = [];
	/** Filled before each test. */
	const world = {
		at: (path) => join(world.rig.root, path),

		async start(options = {}) {
			const started = await startVersionRig(world.cluster, world.node, world.mountPoint, options);
			rigs.push(started);
			return started;
		},

		restore: (id, path) => world.rig.project("POST", `/versions/${id}/restore`, path === undefined ? {} : { path }),

		async restored(id, path) {
			const answer = await world.restore(id, path);
			expect([answer.status, answer.body.toString()]).toMatchObject([200, expect.anything()]);
			return (answer.json() as VersionRestored).undo.id;
		},

		async openPage(path, name = "Ada") {
			const page = createPage(name);
			pages.push(page);
			await page.connect((await world.rig.workspaces.open(world.rig.projectId)).documents, path);
			return page;
		},
	} as { -readonly [Name in keyof World]: World[Name] };

	beforeAll(async () => {
		world.cluster = await startCluster();
		world.node = await world.cluster.startNode("one");
		world.mountPoint = join(world.cluster.directory, "one");
	});
	beforeEach(async () => {
		world.cluster.breakStore();
		world.rig = await world.start();
	});
	afterEach(async () => {
		vi.restoreAllMocks();
		for (const page of pages.splice(0)) page.disconnect();
		for (const rig of rigs.splice(0)) await rig.release();
	});
	afterAll(async () => {
		await world.cluster.release();
		expect(await findLeftovers(world.cluster.directory)).toEqual([]);
	});
	return world;
}

/** Everything below a folder, with what it holds. */
export async function tree(root: string): Promise<Record<string, string>> {
	const found: Record<string, string> = {};
	for (const name of (await readdir(root, { recursive: true })).sort()) {
		const stats = await lstat(join(root, name));
		if (stats.isSymbolicLink()) found[name] = `-> ${await readlink(join(root, name))}`;
		else if (stats.isFile()) found[name] = await readFile(join(root, name), "latin1");
		else found[name] = stats.isDirectory() ? "/" : "other";
	}
	return found;
}
