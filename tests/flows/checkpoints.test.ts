import { rm } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "@repldock/service";
import { expect, inject, test } from "vitest";
import { repldock } from "../support/instance.ts";
import { eventually } from "../support/wait.ts";
import { WorkspaceClient } from "../support/workspace-client.ts";
import { openProject, site } from "../support/world.ts";

test("what the page calls durable comes back when the node has lost the volume, as it was and never as the template", async () => {
	const { project, workspace } = await openProject("bash");
	await workspace.write("mine.txt", "my work");
	const savedAtMs = Date.now();
	await eventually("the durable checkpoint", () => {
		const { upTo, problem } = workspace.state.durability;
		expect(problem).toBeNull();
		return upTo !== null && Date.parse(upTo) >= savedAtMs;
	});
	await workspace.remove("main.sh");
	const removedAtMs = Date.now();
	await eventually("the next one", () => Date.parse(workspace.state.durability.upTo ?? "") >= removedAtMs);
	workspace.close();
	await site().stop(project.id);
	await eventually("the end of the container", async () => (await site().project(project.id)).state === "stopped");

	const { data } = inject("instance");
	const volumes = join(data, "volumes");
	await runCommand("btrfs", ["subvolume", "delete", join(volumes, project.id)]);
	await rm(join(data, "checkpoints.json"));
	await repldock(["restart", "agent", "--data", data]);

	const restored = await eventually("the project", () => WorkspaceClient.open(site(), project.id).catch(() => null));
	await restored.connect();
	expect(await restored.read("mine.txt")).toBe("my work");
	const names = (await restored.list()).entries.map(({ name }) => name);
	expect(names).not.toContain("main.sh");
	await restored.write("check.sh", "cat mine.txt; touch made-here\n");
	const { output } = await restored.runToEnd({ file: "check.sh" });
	expect(output).toContain("my work");
	restored.close();
	await site().stop(project.id);
});
