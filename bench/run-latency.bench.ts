import { spawn } from "node:child_process";
import { join } from "node:path";
import { eventually } from "../tests/support/wait.ts";
import { WorkspaceClient } from "../tests/support/workspace-client.ts";
import { createBareEngine } from "./support/engine.ts";
import { compared, report } from "./support/report.ts";
import { withInstance } from "./support/world.ts";

/*
 * Run pressed → first output byte of `print(1)` at the browser's socket, against the same by the bare engine: an exec
 * while the container is up, `docker run` when it is not. Subject and baseline take turns.
 */
const warmRuns = 40;
const coldRuns = 12;

await withInstance(async (instance, site) => {
	const engine = createBareEngine(instance.data);
	const project = await site.createProject("python");
	const workspace = await WorkspaceClient.open(site, project.id);
	await workspace.connect();
	await workspace.write("main.py", "print(1)\n");
	await workspace.write(".replit", 'run = "python3 main.py"\n');
	await eventually("the container", () => workspace.state.container === "running");

	const warm: number[] = [];
	const bareExec: number[] = [];
	const console = await workspace.attach("console");
	const { id: containerId, image } = await engine.containerOf(project.id);
	for (let run = 0; run < warmRuns; run += 1) {
		bareExec.push(await engine.execToFirstByte(containerId, ["python3", "-c", "print(1)"]));
		console.text = "";
		const pressedAtMs = performance.now();
		const first = eventually("output", () => (/^1\r$/m.test(console.text) ? performance.now() : 0));
		await workspace.run();
		warm.push((await first) - pressedAtMs);
		await eventually("the end", () => console.state?.running === false);
	}
	console.close();

	const cold: number[] = [];
	const bareRun: number[] = [];
	for (let run = 0; run < coldRuns; run += 1) {
		bareRun.push(await dockerRunToFirstByte(instance.data, image));
		await site.stop(project.id);
		await eventually("the stop", async () => (await site.project(project.id)).state === "stopped");
		const again = await WorkspaceClient.open(site, project.id).then((client) => client);
		const attached = await again.attach("console");
		await site.stop(project.id);
		await eventually("the stop", async () => (await site.project(project.id)).state === "stopped");
		attached.text = "";
		const pressedAtMs = performance.now();
		const first = eventually("output", () => (/^1\r$/m.test(attached.text) ? performance.now() : 0));
		const reopened = await WorkspaceClient.open(site, project.id);
		await reopened.run();
		cold.push((await first) - pressedAtMs);
		attached.close();
	}
	workspace.close();

	report("run-latency", [
		compared("Run to first byte, container up", warm, bareExec, "ms", 1.5),
		compared("Run to first byte, project stopped", cold, bareRun, "ms", 1.3),
	]);
});

/** `docker run` of the same program in the same image, with the network that ours has. */
function dockerRunToFirstByte(data: string, image: string): Promise<number> {
	const startedAtMs = performance.now();
	const host = `unix://${join(data, "run/docker.sock")}`;
	const child = spawn("docker", ["--host", host, "run", "--rm", "--tty", image, "python3", "-c", "print(1)"], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	return new Promise((resolve, reject) => {
		let tookMs: number | undefined;
		child.stdout.once("data", () => {
			tookMs = performance.now() - startedAtMs;
		});
		child.once("error", reject);
		child.once("close", (code) =>
			tookMs === undefined ? reject(new Error(`docker run ended with ${code}`)) : resolve(tookMs),
		);
	});
}
