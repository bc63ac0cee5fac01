import { randomBytes } from "node:crypto";
import { access, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { openFolderStore } from "@repldock/objects";
import { type Project, type ProjectForked, UnnamedObjectsAnswer, unnamedObjectsPath } from "@repldock/protocol";
import { createLog, runCommand } from "@repldock/service";
import { expect, inject, onTestFinished, test } from "vitest";
import { collectGarbage } from "../../apps/node/src/checkpoints/garbage.ts";
import { queryInstance, repldock } from "../support/instance.ts";
import { eventually } from "../support/wait.ts";
import { WorkspaceClient } from "../support/workspace-client.ts";
import { site } from "../support/world.ts";

async function query(sql: string): Promise<string> {
	return (await queryInstance(inject("instance").data, sql)).join("\n");
}

async function durable(workspace: WorkspaceClient): Promise<void> {
	const sinceMs = Date.now();
	await eventually("the durable checkpoint", () => Date.parse(workspace.state.durability.upTo ?? "") >= sinceMs);
}

async function stopped(id: string): Promise<void> {
	await site().stop(id);
	await eventually("the end of the container", async () => (await site().project(id)).state === "stopped");
}

/** All that nothing names goes at once, as it does after a day. */
async function collect(nodeId: string): Promise<number> {
	const { data, siteUrl } = inject("instance");
	const token = (await readFile(join(data, "secrets/node/node-token"), "utf8")).trim();
	const log = createLog("test", "silent");
	return collectGarbage({
		store: await openFolderStore(join(data, "objects")),
		nodeId,
		olderThanMs: -60_000,
		async unnamed(keys) {
			const response = await fetch(siteUrl + unnamedObjectsPath, {
				method: "POST",
				headers: { authorization: `Bearer ${token}` },
				body: JSON.stringify({ keys }),
			});
			const { unnamed } = UnnamedObjectsAnswer.parse(await response.json());
			// As of a database that knows all objects.
			return { unnamed, knowsSince: new Date(0).toISOString() };
		},
		unreported: () => new Set(),
		log,
	});
}

test("a fork outlives its origin and the loss of its volume, and the origin's own versions are gone", async () => {
	const { data } = inject("instance");
	// It is gone at the end: there is nothing to stop then.
	const origin = await site().createProject("bash");
	const workspace = await WorkspaceClient.open(site(), origin.id);
	await workspace.connect();
	const large = randomBytes(700 * 1024).toString("base64");
	await workspace.write("large.txt", large);
	await durable(workspace);
	await workspace.write("mine.txt", "the origin's");
	await durable(workspace);
	const fork = await site().call<Project>("POST", `/projects/${origin.id}/fork`, { name: "Survivor" });
	const forked = await WorkspaceClient.open(site(), fork.id);
	onTestFinished(async () => {
		forked.close();
		await site().stop(fork.id);
	});
	await forked.connect();
	expect(await forked.read("mine.txt")).toBe("the origin's");
	await forked.write("mine.txt", "the fork's");
	await durable(forked);
	await eventually(
		"a checkpoint that builds on the origin's",
		async () =>
			(await query(`SELECT count(*) FROM checkpoints WHERE project_id = '${fork.id}'
				AND parent_project_id = '${origin.id}'`)) !== "0",
	);
	expect(await workspace.read("mine.txt")).toBe("the origin's");
	await workspace.write("later.txt", "of no use to the fork");
	await durable(workspace);
	workspace.close();
	forked.close();
	await Promise.all([stopped(origin.id), stopped(fork.id)]);
	const later = await query(`SELECT object_key FROM checkpoints WHERE project_id = '${origin.id}'
		ORDER BY sequence DESC LIMIT 1`);

	await site().call("DELETE", `/projects/${origin.id}`);
	await query(`UPDATE projects SET deleted_at = '2000-01-01Z' WHERE id = '${origin.id}'`);
	await repldock(["restart", "site", "--data", data]);
	await eventually("the end of the origin", async () => {
		const left = await query(`SELECT count(*) FROM projects WHERE id = '${origin.id}'`).catch(() => "");
		return left === "0";
	});
	await query(`UPDATE checkpoints SET recorded_at = '2000-01-01Z' WHERE project_id = '${origin.id}'`);
	await repldock(["restart", "site", "--data", data]);
	await eventually("the thinning of what the origin alone needed", async () => {
		const left = await query(`SELECT count(*) FROM checkpoints WHERE object_key = '${later}'
			AND project_id = '${origin.id}'`);
		return left === "0";
	});
	const nodeId = await query("SELECT id FROM nodes LIMIT 1");
	await collect(nodeId);
	// One, or two where the fork's increments became one when it came to rest.
	const needed = await query(`SELECT DISTINCT parent.object_key FROM checkpoints AS first
		JOIN checkpoints AS parent ON (parent.project_id, parent.generation, parent.sequence)
			= (first.parent_project_id, first.parent_generation, first.parent_sequence)
		WHERE first.project_id = '${fork.id}' AND parent.project_id = '${origin.id}'`);
	expect(needed).not.toBe("");
	for (const key of needed.split("\n")) {
		await expect(access(join(data, "objects", key))).resolves.toBeUndefined();
	}

	await runCommand("btrfs", ["subvolume", "delete", join(data, "volumes", fork.id)]);
	await rm(join(data, "checkpoints.json"));
	await repldock(["restart", "agent", "--data", data]);
	const restored = await eventually("the fork", () => WorkspaceClient.open(site(), fork.id).catch(() => null));
	await restored.connect();
	expect(await restored.read("mine.txt")).toBe("the fork's");
	expect(await restored.read("large.txt")).toBe(large);
	expect((await restored.list()).entries.map(({ name }) => name)).not.toContain("later.txt");
	restored.close();
});

test("a fork that is no copy of the volume has what was written just now, and the objects tell of it before it is opened", async () => {
	const origin = await site().createProject("bash");
	const workspace = await WorkspaceClient.open(site(), origin.id);
	await workspace.connect();
	await workspace.write("mine.txt", "stored");
	await durable(workspace);
	// Its node seems full, as one would be that sends forks to another.
	const slots = await query("SELECT slots FROM nodes LIMIT 1");
	await query("UPDATE nodes SET slots = 1");
	onTestFinished(async () => {
		workspace.close();
		await query(`UPDATE nodes SET slots = ${slots}`);
		await site().stop(origin.id);
	});
	await workspace.write("mine.txt", "just now");
	const fork = await site().call<ProjectForked>("POST", `/projects/${origin.id}/fork`, { name: "Elsewhere" });
	await query(`UPDATE nodes SET slots = ${slots}`);
	expect(fork.asOf).toBeNull();
	const told = await query(`SELECT parent_project_id, bytes FROM checkpoints WHERE project_id = '${fork.id}'`);
	expect(told).toBe(`${origin.id}|0`);
	await workspace.write("mine.txt", "of no use to the fork");
	await durable(workspace);
	const forked = await WorkspaceClient.open(site(), fork.id);
	onTestFinished(async () => {
		forked.close();
		await site().stop(fork.id);
	});
	await forked.connect();
	expect(await forked.read("mine.txt")).toBe("just now");
});
