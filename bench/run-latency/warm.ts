import type { TestInstance } from "../../tests/support/instance.ts";
import type { SiteClient } from "../../tests/support/site-client.ts";
import { eventually } from "../../tests/support/wait.ts";
import { attachTimed } from "../support/console.ts";
import { createBareEngine } from "../support/engine.ts";
import { command, openPrinting, type Samples } from "./program.ts";

/** The first runs of all fill caches of the page kind, and are not counted. */
const discarded = 3;

/** Run in a container that is up, against an exec of the same program in the same container by the bare engine. */
export async function measureWarm(instance: TestInstance, site: SiteClient, runs: number): Promise<Samples> {
	const engine = createBareEngine(instance.data);
	const workspace = await openPrinting(site);
	const { opened, arrival } = attachTimed(workspace, "console");
	const pty = await opened;
	const container = await engine.containerOf(workspace.projectId);
	const samples: Samples = { subject: [], baseline: [] };
	for (let run = 0; run < discarded + runs; run += 1) {
		const bareMs = await engine.execToFirstByte(container, command);
		const before = pty.runs;
		const arrived = arrival("1");
		const pressedAtMs = performance.now();
		await workspace.run();
		const tookMs = (await arrived) - pressedAtMs;
		await eventually("the run's end", () => pty.runs > before && pty.state?.running === false);
		if (run < discarded) continue;
		samples.baseline.push(bareMs);
		samples.subject.push(tookMs);
	}
	pty.close();
	workspace.close();
	await site.stop(workspace.projectId);
	return samples;
}
