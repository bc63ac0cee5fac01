import type { Engine } from "../host.ts";
import type { ProjectContainer } from "../workspace/dependencies.ts";
import { projectHome } from "../workspace/run/index.ts";
import type { RunInContainer } from "./git.ts";

const outputMaxLength = 16 * 1024;

/** Runs programs by the engine, without a terminal that people see. They end with their container. */
export function createContainerCommands(options: {
	engine: Pick<Engine, "createExec" | "startExec" | "inspectExec">;
	ensureRunning(projectId: string): Promise<ProjectContainer>;
	environmentOf(projectId: string, container: ProjectContainer): Record<string, string>;
}): RunInContainer {
	const { engine } = options;
	return async (projectId, command, environment) => {
		const container = await options.ensureRunning(projectId);
		const { execId } = await engine.createExec(container.containerId, {
			command,
			environment: { ...options.environmentOf(projectId, container), ...environment },
			workingDirectory: projectHome(container.slug),
			// Its output comes as one stream then.
			tty: true,
		});
		const stream = await engine.startExec(execId, true);
		let output = "";
		try {
			for await (const chunk of stream.output as AsyncIterable<Buffer>) {
				output = (output + chunk.toString("utf8")).slice(-outputMaxLength);
			}
		} finally {
			stream.close();
		}
		const { exitCode } = await engine.inspectExec(execId);
		return { exitCode, output };
	};
}
