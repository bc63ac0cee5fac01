import { objectOptions } from "@repldock/objects";
import { createLog, readConfig } from "@repldock/service";
import { type NodeConfig, type NodePaths, nodePaths, readNodeConfig } from "./config.ts";
import { endContainers, prepareMachine, releaseMachine } from "./machine.ts";
import { reportStorage } from "./storage-report.ts";

/**
 * The agent's program. The supervisor calls it as
 *   prepare   bridge, filter, volumes, homes; prints how engine and edge are started (NodePlan, JSON)
 *   serve     the agent itself, until SIGTERM: containers and PTYs go on without it; or until SIGUSR2, which ends those too
 *   storage   prints how volumes and checkpoints stand (StorageReport, JSON)
 *   drain     ends all containers
 *   release   gives back what `prepare` took
 */
const commands: Record<string, (config: NodeConfig, paths: NodePaths) => Promise<void>> = {
	async prepare(config, paths) {
		process.stdout.write(JSON.stringify(await prepareMachine(config, paths)));
	},
	async serve(config, paths) {
		const { serve } = await import("./serve.ts");
		await serve(config, paths, readConfig(objectOptions, process.env), createLog("agent", config.logLevel));
	},
	async storage(config, paths) {
		const report = await reportStorage(config, paths, readConfig(objectOptions, process.env));
		// A store that hangs may hold its requests for longer.
		process.stdout.write(JSON.stringify(report), () => process.exit(0));
	},
	async drain(config, paths) {
		await endContainers(paths, createLog("agent", config.logLevel));
	},
	async release(config, paths) {
		await releaseMachine(config, paths);
	},
};

const [name = ""] = process.argv.slice(2);
const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
if (!command) {
	process.stderr.write(`Usage: main.ts ${Object.keys(commands).join(" | ")}\n`);
	process.exit(2);
}
const config = readNodeConfig(process.env);
await command(config, nodePaths(config));
