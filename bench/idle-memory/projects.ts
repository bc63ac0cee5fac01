import type { SiteClient } from "../../tests/support/site-client.ts";
import { eventually } from "../../tests/support/wait.ts";
import { WorkspaceClient } from "../../tests/support/workspace-client.ts";

/**
 * Opens a project as a page does that is then left alone: container, events socket, one document, one terminal with its
 * prompt. Settles when all of it stands; all stays open.
 */
export async function openIdleProject(site: SiteClient): Promise<void> {
	const project = await site.createProject("python");
	const workspace = await WorkspaceClient.open(site, project.id);
	await workspace.connect();
	await eventually("the container", () => workspace.state.container === "running");
	workspace.send({ type: "openDocument", path: "main.py" });
	await eventually("the document", () => workspace.received.some(({ type }) => type === "documentOpened"));
	const terminal = await workspace.openTerminal();
	await terminal.expect(/\$ $/);
	// What the client keeps is not the instance's.
	workspace.received.length = 0;
	workspace.binary.length = 0;
}
