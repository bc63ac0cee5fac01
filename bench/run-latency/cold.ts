import type { TestInstance } from "../../tests/support/instance.ts";
import type { SiteClient } from "../../tests/support/site-client.ts";
import { eventually } from "../../tests/support/wait.ts";
import { WorkspaceClient } from "../../tests/support/workspace-client.ts";
import { attachTimed } from "../support/console.ts";
import { createBareEngine } from "../support/engine.ts";
import { command, openPrinting, type Samples } from "./program.ts";

const discarded = 1;

/**
 * Run from a stopped project, as a page does it that has to begin with a ticket: ticket, access, both sockets, Run.
 * Against `docker run` of the same program in the same image, with the limits and the kind of network that ours has.
 */
export async function measureCold(instance: TestInstance, site: SiteClient, runs: number): Promise<Samples> {
	const engine = createBareEngine(instance.data);
	const first = await openPrinting(site);
	const { projectId } = first;
	const container = await engine.containerOf(projectId);
	const samples: Samples = { subject: [], baseline: [] };
	first.close();
	let offset = 0;
	for (let run = 0; run < discarded + runs; run += 1) {
		await site.stop(projectId);
		await eventually("the stop", async () => (await site.project(projectId)).state === "stopped");
		const bareMs = await engine.runToFirstByte(container, command);
		const pressedAtMs = performance.now();
		const workspace = await WorkspaceClient.open(site, projectId);
		// A page that was told to run waits for neither greeting: what the sockets bring is the same later.
		const connected = workspace.connect();
		const { opened, arrival } = attachTimed(workspace, "console", offset);
		const arrived = arrival("1");
		await workspace.run();
		const tookMs = (await arrived) - pressedAtMs;
		await connected;
		const pty = await opened;
		await eventually("the run's end", () => pty.state?.running === false);
		offset = pty.offset;
		pty.close();
		workspace.close();
		if (run < discarded) continue;
		samples.baseline.push(bareMs);
		samples.subject.push(tookMs);
	}
	return samples;
}
