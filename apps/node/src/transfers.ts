import { mkdir } from "node:fs/promises";
import type { Logger } from "@repldock/service";
import { openStaging } from "./host/files/staging.ts";
import { settleStagings } from "./host/files/staging-moves.ts";
import { walkTree } from "./host/files/walk.ts";
import type { RunnerId } from "./host/subordinate-ids.ts";
import type { Engine, Volumes } from "./host.ts";
import { createContainerCommands } from "./transfer/container-command.ts";
import { createExports, type Exports } from "./transfer/exports.ts";
import { createImports, type Imports } from "./transfer/imports.ts";
import type { WorkspaceDependencies } from "./workspace/dependencies.ts";
import { emptyProjectFile, programEnvironment } from "./workspace/run/index.ts";
import type { Workspaces } from "./workspace/workspaces.ts";

/** Archives in and out of this node's projects. Brings imports that an agent which died had begun to an end. */
export async function startTransfers(options: {
	engine: Engine;
	volumes: Volumes;
	owner: RunnerId;
	workspaces: Workspaces;
	workspaceDependencies: WorkspaceDependencies;
	ensureVolume(projectId: string): Promise<void>;
	spoolDirectory: string;
	log: Logger;
}): Promise<{ exports: Exports; imports: Imports }> {
	const { volumes, owner, workspaceDependencies: parts, log } = options;
	await mkdir(options.spoolDirectory, { recursive: true, mode: 0o700 });
	for (const projectId of await volumes.list()) {
		await settleStagings(volumes.path(projectId)).catch((error: unknown) =>
			log.error({ err: error, projectId }, "an import that was broken off was kept"),
		);
	}
	const exports = createExports({
		async freeze(projectId) {
			await options.ensureVolume(projectId);
			const snapshot = await volumes.snapshot(projectId);
			return { walk: (skips) => walkTree(snapshot.path, skips), release: snapshot.release };
		},
		describe(projectId) {
			const placement = parts.placement(projectId);
			return { name: placement?.slug ?? "project", diskBytes: placement?.limits.diskBytes ?? 0 };
		},
		log,
	});
	const run = createContainerCommands({
		engine: options.engine,
		ensureRunning: parts.ensureRunning,
		environmentOf: (projectId, { slug }) =>
			programEnvironment({
				project: { id: projectId, slug, ownerName: parts.placement(projectId)?.owner.name ?? "" },
				projectFile: emptyProjectFile,
				appsDomain: parts.apps.domain,
				preset: parts.toolchainEnvironment,
			}),
	});
	const imports = createImports({
		workspaces: options.workspaces,
		stage: (projectId) => openStaging(volumes.path(projectId), owner),
		run,
		spoolDirectory: options.spoolDirectory,
		log,
	});
	return { exports, imports };
}
