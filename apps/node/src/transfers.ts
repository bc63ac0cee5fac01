import { mkdir } from "node:fs/promises";
import type { Logger } from "@repldock/service";
import { openStaging } from "./host/files/staging.ts";
import { settleStagings } from "./host/files/staging-moves.ts";
import { walkTree } from "./host/files/walk.ts";
import type { RunnerId } from "./host/subordinate-ids.ts";
import type { Engine } from "./host.ts";
import type { FrozenFiles } from "./host-files.ts";
import type { Volumes } from "./host-storage.ts";
import { createContainerCommands } from "./transfer/container-command.ts";
import { createExports, type Exports } from "./transfer/exports.ts";
import { createImports, type Imports } from "./transfer/imports.ts";
import type { Turns } from "./transfer/turns.ts";
import type { Reader } from "./versions/shelf.ts";
import type { WorkspaceDependencies } from "./workspace/dependencies.ts";
import { emptyProjectFile, programEnvironment } from "./workspace/run/index.ts";
import type { Workspaces } from "./workspace/workspaces.ts";

/**
 * Archives in and out of this node's projects. Brings imports and restores that an agent which died had begun to an end.
 * @returns besides, in which projects there were any.
 */
export async function startTransfers(options: {
	engine: Engine;
	volumes: Volumes;
	owner: RunnerId;
	workspaces: Workspaces;
	workspaceDependencies: WorkspaceDependencies;
	ensureVolume(projectId: string): Promise<void>;
	/** The files of a version; see `Versions.freeze`. */
	freezeVersion(projectId: string, versionId: string, reader: Reader): Promise<FrozenFiles>;
	turns: Turns;
	spoolDirectory: string;
	log: Logger;
}): Promise<{ exports: Exports; imports: Imports; unfinished: string[] }> {
	const { volumes, owner, workspaceDependencies: parts, log } = options;
	await mkdir(options.spoolDirectory, { recursive: true, mode: 0o700 });
	const unfinished: string[] = [];
	for (const projectId of await volumes.list()) {
		try {
			if (await settleStagings(volumes.path(projectId))) unfinished.push(projectId);
		} catch (error) {
			log.error({ err: error, projectId }, "an import that was broken off was kept");
		}
	}
	const exports = createExports({
		async freeze(projectId, version, reader) {
			if (version !== undefined) return options.freezeVersion(projectId, version, reader);
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
		turns: options.turns,
		log,
	});
	return { exports, imports, unfinished };
}
