import { join } from "node:path";
import type { WorkspaceDependencies } from "./dependencies.ts";
import { holdsOpenDocuments } from "./documents/recovery.ts";
import { createWorkspace, type Workspace } from "./workspace.ts";

/** The workspaces of all projects that somebody has open or whose container runs; others cost nothing. */
export interface Workspaces {
	/** The project's workspace, made on demand. @throws RepldockError when its files cannot be reached. */
	open(projectId: string): Promise<Workspace>;
	/** The project's workspace if there is one. */
	present(projectId: string): Workspace | undefined;
	/** Container, programs, name or limits of the project may have changed. */
	refresh(projectId: string): void;
	/** Writes the edits which an agent that died left in journals into their files, also of projects that nobody opens. */
	recover(projectIds: readonly string[]): Promise<void>;
	/** Saves everything and lets go. */
	close(): Promise<void>;
}

/** A workspace that nobody uses is kept this long: pages reload. */
const lingerMs = 10_000;

export function createWorkspaces(dependencies: WorkspaceDependencies): Workspaces {
	const opening = new Map<string, Promise<Workspace>>();
	const present = new Map<string, Workspace>();
	const lingering = new Map<string, NodeJS.Timeout>();
	const closing = new Map<string, Promise<void>>();
	let closed = false;

	function linger(projectId: string) {
		if (lingering.has(projectId) || closed) return;
		const timer = setTimeout(() => {
			lingering.delete(projectId);
			const workspace = present.get(projectId);
			if (workspace?.isUnused()) dispose(workspace);
		}, lingerMs);
		timer.unref();
		lingering.set(projectId, timer);
	}

	function dispose(workspace: Workspace) {
		const { projectId } = workspace;
		present.delete(projectId);
		opening.delete(projectId);
		const end = workspace
			.dispose()
			.catch((error: unknown) => dependencies.log.error({ err: error, projectId }, "a workspace could not be closed"))
			.then(() => {
				closing.delete(projectId);
			});
		closing.set(projectId, end);
	}

	async function create(projectId: string): Promise<Workspace> {
		// Two workspaces of one project would write the same files.
		await closing.get(projectId);
		const workspace = await createWorkspace(projectId, dependencies, () => linger(projectId));
		present.set(projectId, workspace);
		// What changed while it was made was told to nobody.
		workspace.refresh();
		if (workspace.isUnused()) linger(projectId);
		return workspace;
	}

	function open(projectId: string): Promise<Workspace> {
		const current = opening.get(projectId);
		if (current) return current;
		const created = create(projectId);
		opening.set(projectId, created);
		created.catch(() => {
			if (opening.get(projectId) === created) opening.delete(projectId);
		});
		return created;
	}

	return {
		open,
		present: (projectId) => present.get(projectId),

		refresh(projectId) {
			const workspace = present.get(projectId);
			if (workspace) workspace.refresh();
			// Ports of a running container are watched whether or not anybody has the project open.
			else if (dependencies.container(projectId) && !closed) {
				open(projectId).catch((error: unknown) =>
					dependencies.log.error({ err: error, projectId }, "a workspace could not be opened"),
				);
			}
		},

		async recover(projectIds) {
			for (const projectId of projectIds) {
				if (closed || present.has(projectId)) continue;
				try {
					if (await holdsOpenDocuments(join(dependencies.documentsDirectory, projectId))) await open(projectId);
				} catch (error) {
					dependencies.log.error({ err: error, projectId }, "unsaved edits could not be recovered");
				}
			}
		},

		async close() {
			closed = true;
			for (const timer of lingering.values()) clearTimeout(timer);
			await Promise.allSettled(opening.values());
			for (const workspace of present.values()) dispose(workspace);
			await Promise.all(closing.values());
		},
	};
}
