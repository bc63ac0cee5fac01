import type { Project } from "@repldock/protocol";
import { inject, onTestFinished } from "vitest";
import { SiteClient } from "./site-client.ts";
import { WorkspaceClient } from "./workspace-client.ts";

/** The administrator of the group's instance. */
export function site(): SiteClient {
	return new SiteClient(inject("instance").siteUrl, { token: inject("token") });
}

/** A fresh project, opened; stopped when the test ends so that the machine stays free for the next one. */
export async function openProject(
	template: string,
	options: { name?: string; visibility?: "public" | "private"; client?: SiteClient } = {},
): Promise<{ project: Project; workspace: WorkspaceClient }> {
	const client = options.client ?? site();
	const { client: _, ...rest } = options;
	const project = await client.createProject(template, rest);
	const workspace = await WorkspaceClient.open(client, project.id);
	onTestFinished(async () => {
		workspace.close();
		await client.stop(project.id);
	});
	await workspace.connect();
	return { project, workspace };
}
