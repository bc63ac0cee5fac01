import { request } from "node:http";
import type { TestInstance } from "../../tests/support/instance.ts";
import type { SiteClient } from "../../tests/support/site-client.ts";
import { eventually } from "../../tests/support/wait.ts";
import { WorkspaceClient } from "../../tests/support/workspace-client.ts";
import { createBareEngine } from "../support/engine.ts";
import { type Figure, median, quantile } from "../support/report.ts";
import { withInstance } from "../support/world.ts";

const pausedMostMs = 60;
const stoppedMostMs = 700;
const stoppedMostRatio = 1.2;
const sleepWithinMs = 60_000;
const discarded = 1;

/** A Node `http` app; with an argument it ends as soon as it listens, for the bare container. */
const program = `
import { createServer } from "node:http";
const once = process.argv[2] === "once";
createServer((asked, answer) => answer.end("awake")).listen(3000, "0.0.0.0", () => {
	console.log("listening");
	if (once) process.exit(0);
});
`;
const command = ["node", "index.js"] as const;

/** A visit of a sleeping project, from the connection to the first byte of the app's answer. */
export async function measureWake(runs: number): Promise<Figure[]> {
	const paused: number[] = [];
	await withInstance(
		async (instance, site) => {
			const project = await openApp(site);
			for (let run = 0; run < discarded + runs; run += 1) {
				await sleep(site, project.id);
				const tookMs = await visit(instance, project.slug);
				if (run >= discarded) paused.push(tookMs);
			}
		},
		{ REPLDOCK_PAUSE_AFTER: "1s", REPLDOCK_IDLE_TIMEOUT: "never" },
	);
	const stopped: number[] = [];
	const bare: number[] = [];
	await withInstance(
		async (instance, site) => {
			const project = await openApp(site);
			const engine = createBareEngine(instance.data);
			const container = await engine.containerOf(project.id);
			for (let run = 0; run < discarded + runs; run += 1) {
				await sleep(site, project.id);
				const bareMs = await engine.runToFirstByte(container, [...command, "once"]);
				const tookMs = await visit(instance, project.slug);
				if (run < discarded) continue;
				stopped.push(tookMs);
				bare.push(bareMs);
			}
		},
		{ REPLDOCK_PAUSE_AFTER: "never", REPLDOCK_IDLE_TIMEOUT: "1s" },
	);
	const ratio = median(stopped) / median(bare);
	return [
		{
			name: "A visit of a paused project to the first byte",
			value: median(paused),
			unit: "ms",
			p95: quantile(paused, 0.95),
			runs,
			goal: `<= ${pausedMostMs} ms`,
			met: median(paused) <= pausedMostMs,
		},
		{
			name: "A visit of a stopped Node project to the first byte (docker run, until it listens)",
			value: median(stopped),
			unit: "ms",
			p95: quantile(stopped, 0.95),
			runs,
			baseline: median(bare),
			ratio,
			goal: `<= ${stoppedMostMs} ms and <= ${stoppedMostRatio} x`,
			met: median(stopped) <= stoppedMostMs && ratio <= stoppedMostRatio,
		},
	];
}

/** A public project that runs the app and that nobody has open any more. */
async function openApp(site: SiteClient): Promise<{ id: string; slug: string }> {
	const project = await site.createProject("node", { visibility: "public" });
	const workspace = await WorkspaceClient.open(site, project.id);
	await workspace.connect();
	await workspace.write("index.js", program);
	await workspace.write(".replit", `run = "${command.join(" ")}"\n`);
	await workspace.run();
	await eventually("the app's port", () => workspace.state.ports.length > 0);
	workspace.close();
	return project;
}

async function sleep(site: SiteClient, projectId: string): Promise<void> {
	await eventually(
		"the project's sleep",
		async () => (await site.project(projectId)).state === "asleep",
		sleepWithinMs,
	);
}

function visit({ httpPort }: TestInstance, slug: string): Promise<number> {
	const startedAtMs = performance.now();
	return new Promise((resolve, reject) => {
		const headers = { host: `${slug}.localhost:${httpPort}` };
		const outgoing = request({ host: "127.0.0.1", port: httpPort, agent: false, headers }, (response) => {
			response.once("data", (bytes) => {
				if (String(bytes) === "awake") resolve(performance.now() - startedAtMs);
				else reject(new Error(`the app answered ${response.statusCode}: ${bytes}`));
			});
		});
		outgoing.on("error", reject).end();
	});
}
