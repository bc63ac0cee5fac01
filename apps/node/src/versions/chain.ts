import {
	type Checkpoint,
	type CheckpointId,
	isReference,
	type ManifestQuestion,
	RepldockError,
} from "@repldock/protocol";

export interface ChainParts {
	/** What restores a version, by the site's knowledge. @throws RepldockError `node_unreachable` when it does not answer. */
	manifest(question: ManifestQuestion): Promise<Checkpoint[]>;
	/** This node's checkpoints that the site may not have recorded yet. */
	unreported(): readonly Checkpoint[];
	/** Whether the node's own snapshots hold this checkpoint, whole. */
	isKept(id: CheckpointId): boolean;
}

/** A version's place among those of its project. @throws RepldockError `not_found` for what no version is called. */
export function placeOf(versionId: string): { generation: number; sequence: number } {
	const [generation = 0, sequence = 0] = versionId.split(".").map(Number);
	if (!Number.isSafeInteger(sequence)) throw gone();
	return { generation, sequence };
}

export const idOf = ({ generation, sequence }: { generation: number; sequence: number }) => `${generation}.${sequence}`;

/**
 * What makes a version, the full checkpoint first. What was made durable a moment ago is found before the site knows it.
 * @throws RepldockError `not_found` when the project has no such version (any more).
 */
export async function findChain(parts: ChainParts, projectId: string, versionId: string): Promise<Checkpoint[]> {
	const own = new Map(parts.unreported().map((checkpoint) => [textOf(checkpoint), checkpoint]));
	const tail: Checkpoint[] = [];
	let missing: Checkpoint["parent"] = { projectId, ...placeOf(versionId) };
	for (let next = own.get(textOf(missing)); next; next = missing ? own.get(textOf(missing)) : undefined) {
		tail.unshift(next);
		missing = next.parent;
	}
	if (missing === null) return tail;
	const { projectId: of, ...version } = missing;
	const recorded = await parts.manifest({ projectId: of, version });
	if (recorded.length === 0) throw gone();
	return [...recorded, ...tail].filter((checkpoint) => !isReference(checkpoint));
}

export function gone(cause?: unknown): RepldockError {
	return new RepldockError("not_found", "This project has no such version (any more).", { cause });
}

function textOf({ projectId, ...place }: { projectId: string; generation: number; sequence: number }): string {
	return `${projectId}/${idOf(place)}`;
}
