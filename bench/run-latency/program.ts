import type { SiteClient } from "../../tests/support/site-client.ts";
import { eventually } from "../../tests/support/wait.ts";
import { WorkspaceClient } from "../../tests/support/workspace-client.ts";

/** What Run executes in both measurements, and the bare engine too. */
export const command = ["python3", "main.py"] as const;

/** Two samples of milliseconds, taken in turns. */
export interface Samples {
	subject: number[];
	baseline: number[];
}

/** A project that prints 1, open and running, with its events socket connected. */
export async function openPrinting(site: SiteClient): Promise<WorkspaceClient> {
	const project = await site.createProject("python");
	const workspace = await WorkspaceClient.open(site, project.id);
	await workspace.connect();
	await workspace.write("main.py", "print(1)\n");
	await workspace.write(".replit", `run = "${command.join(" ")}"\n`);
	await eventually("the container", () => workspace.state.container === "running");
	return workspace;
}
