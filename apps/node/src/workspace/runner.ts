import { randomBytes } from "node:crypto";
import { consolePtyId, type PtySize, RepldockError, type RunRequest, type RunStarted } from "@repldock/protocol";
import type { z } from "zod";
import type { ProjectContainer, WorkspaceDependencies } from "./dependencies.ts";
import { planWithFiles } from "./file-probe.ts";
import {
	emptyProjectFile,
	type ProjectFile,
	planBoot,
	planEnvironment,
	planRun,
	programEnvironment,
	projectHome,
	terminalCommand,
} from "./run/index.ts";
import type { Workspaces } from "./workspaces.ts";

/** Programs of a project, as people start and end them. All make sure that its container runs. */
export interface Runner {
	/**
	 * Starts what `.replit` says, in the console.
	 * @throws RepldockError `already_running`, `nothing_to_run`, `invalid_project_file`, `file_not_found`, and what
	 * starting a container throws.
	 */
	run(projectId: string, request: z.output<typeof RunRequest>): Promise<RunStarted>;
	/** Ends the console's program with all its children; harmless when none runs. */
	stop(projectId: string): Promise<void>;
	openTerminal(projectId: string, size: PtySize): Promise<{ ptyId: string }>;
	/** Ends a terminal's programs and forgets it. @throws RepldockError `not_found`, `invalid_input` for the console. */
	closePty(projectId: string, ptyId: string): Promise<void>;
}

const terminalsPerProject = 32;

/**
 * Runs what follows the number `n` in the arguments: the first `n` words once per container, whose `/tmp` ends with it,
 * then the rest.
 */
const bootScript = [
	'n="$1"; shift',
	'if mkdir /tmp/.repldock-booted 2>/dev/null; then "${@:1:n}"; fi',
	'shift "$n"; exec "$@"',
].join("\n");

export function createRunner(dependencies: WorkspaceDependencies, workspaces: Workspaces): Runner {
	const { holder } = dependencies;
	/** Projects whose run is on its way to the holder. */
	const starting = new Set<string>();

	function environmentOf(projectId: string, container: ProjectContainer, projectFile: ProjectFile) {
		const placement = dependencies.placement(projectId);
		return programEnvironment({
			project: { id: projectId, slug: container.slug, ownerName: placement?.owner.name ?? "" },
			projectFile,
			appsDomain: dependencies.apps.domain,
			preset: { TERM: "xterm-256color", COLORTERM: "truecolor", ...dependencies.toolchainEnvironment },
		});
	}

	async function startRun(projectId: string, request: z.output<typeof RunRequest>): Promise<RunStarted> {
		const workspace = await workspaces.open(projectId);
		const read = await workspace.projectFile.read();
		const container = await dependencies.ensureRunning(projectId);
		const environment = environmentOf(projectId, container, read.file);
		const plan = await planWithFiles(workspace.files, (has) =>
			planRun({ projectFile: read.file, has, requestedFile: request.file, environment }),
		);
		const warnings = [...read.warnings, ...plan.warnings];
		if (warnings.length > 0) {
			await holder.write({ projectId, ptyId: consolePtyId, text: warnings.map(warningLine).join("") });
		}
		await holder.start({
			projectId,
			ptyId: consolePtyId,
			kind: "console",
			containerId: container.containerId,
			command: [...withBoot(read.file, environment, plan.command)],
			environment: { ...environment, ...plan.environment },
			workingDirectory: projectHome(container.slug),
			size: { columns: request.columns, rows: request.rows },
			title: plan.title,
		});
		workspace.expectPorts();
		return { ptyId: consolePtyId, command: plan.title, warnings };
	}

	/** What stands still does not end. */
	async function goOn(projectId: string) {
		if (dependencies.containerState(projectId).state === "paused") await dependencies.ensureRunning(projectId);
	}

	return {
		async run(projectId, request) {
			const runs = holder.ptys(projectId).some((pty) => pty.kind === "console" && pty.running);
			if (runs || starting.has(projectId)) {
				throw new RepldockError("already_running", "The program runs already. Stop it first.");
			}
			starting.add(projectId);
			try {
				return await startRun(projectId, request);
			} finally {
				starting.delete(projectId);
			}
		},

		async stop(projectId) {
			await goOn(projectId);
			await holder.stop({ projectId, ptyId: consolePtyId });
		},

		async openTerminal(projectId, size) {
			if (holder.ptys(projectId).filter((pty) => pty.kind === "terminal").length >= terminalsPerProject) {
				throw new RepldockError("too_many_requests", "Too many terminals are open. Close some first.");
			}
			const workspace = await workspaces.open(projectId);
			// A terminal is what one mends a broken `.replit` with: it opens whatever that says.
			const file = workspace.projectFile.problem() ? emptyProjectFile : workspace.projectFile.current();
			const container = await dependencies.ensureRunning(projectId);
			const environment = environmentOf(projectId, container, file);
			const ptyId = `terminal-${randomBytes(6).toString("hex")}`;
			await holder.start({
				projectId,
				ptyId,
				kind: "terminal",
				containerId: container.containerId,
				command: [...terminalCommand()],
				environment: { ...environment, ...planEnvironment(file.environment, environment) },
				workingDirectory: projectHome(container.slug),
				size,
				title: "bash",
			});
			workspace.expectPorts();
			return { ptyId };
		},

		async closePty(projectId, ptyId) {
			const pty = holder.ptys(projectId).find((candidate) => candidate.ptyId === ptyId);
			if (!pty) throw new RepldockError("not_found", "This terminal is closed already.");
			if (pty.kind === "console") throw new RepldockError("invalid_input", "The console cannot be closed. Use Stop.");
			await goOn(projectId);
			await holder.remove({ projectId, ptyId });
		},
	};
}

/** Runs `onBoot` first when this is the container's first run. */
function withBoot(
	file: ProjectFile,
	environment: Readonly<Record<string, string>>,
	command: readonly string[],
): readonly string[] {
	const boot = planBoot(file, environment);
	if (!boot) return command;
	const variables = Object.entries(boot.environment).map(([name, value]) => `${name}=${value}`);
	const words = ["/usr/bin/env", ...variables, ...boot.command];
	return ["/bin/bash", "-c", bootScript, "run", String(words.length), ...words, ...command];
}

function warningLine(text: string): string {
	return `\u001b[33m${text}\u001b[0m\n`;
}
