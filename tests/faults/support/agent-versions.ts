import { createTurns } from "../../../apps/node/src/transfer/turns.ts";
import { startVersions } from "../../../apps/node/src/versions/start.ts";
import type { Versions } from "../../../apps/node/src/versions/versions.ts";
import type { DocumentStore } from "../../../apps/node/src/workspace/documents/store.ts";
import type { Workspaces } from "../../../apps/node/src/workspace/workspaces.ts";

type Parts = Pick<
	Parameters<typeof startVersions>[0],
	"store" | "mountPoint" | "volumes" | "owner" | "checkpoints" | "manifest" | "quota" | "log"
>;

/** The versions of an agent without containers: of a workspace it has the documents alone. */
export function startAgentVersions(parts: Parts & { documents(projectId: string): DocumentStore }): Promise<Versions> {
	const { documents, volumes } = parts;
	const open = async (projectId: string) => ({
		projectId,
		documents: documents(projectId),
		filesWritten: (freed?: boolean) => {
			if (freed) documents(projectId).retry();
		},
	});
	return startVersions({
		...parts,
		workspaces: { open } as unknown as Workspaces,
		async ensureVolume(projectId) {
			if (!(await volumes.exists(projectId))) throw new Error(`${projectId} has no volume here`);
		},
		standStill: (_projectId, work) => work(),
		writeDocuments: (projectId) => documents(projectId).saveAll(),
		turns: createTurns(),
	});
}
