import type { CheckpointId, ProjectFacts, StoredCheckpoint } from "@repldock/protocol";

/** A project as its objects alone tell of it. */
export interface FoundProject {
	id: string;
	/** Of its latest checkpoint that tells any. */
	facts: ProjectFacts | undefined;
	/** What it builds on of other projects, which may be gone: a fork of its origin's. Each after the one that it builds on. */
	borrowed: readonly StoredCheckpoint[];
	/** Those whose chain is whole, each after the one that it builds on. */
	checkpoints: readonly FoundCheckpoint[];
	/** Its present state. */
	current: CheckpointId;
	firstTakenAt: Date;
}

export interface FoundCheckpoint {
	checkpoint: StoredCheckpoint;
	/** Taken by a node that had lost the project. */
	recovered: boolean;
}

export interface Found {
	projects: FoundProject[];
	/** What they build on is missing: they restore nothing. */
	broken: CheckpointId[];
}

const textOf = ({ projectId, generation, sequence }: CheckpointId) => `${projectId}/${generation}/${sequence}`;

/** By generation first: who holds a later one is the owner, whatever a former one went on to store. */
const order = (one: CheckpointId, other: CheckpointId) =>
	one.generation - other.generation || one.sequence - other.sequence;

/**
 * Says what projects there are, by their checkpoints in any order. One that is there twice, because it was put into
 * another object since, counts once. Pure.
 */
export function findProjects(stored: Iterable<StoredCheckpoint>): Found {
	const byId = new Map<string, StoredCheckpoint>();
	for (const checkpoint of stored) byId.set(textOf(checkpoint), checkpoint);
	const whole = new Map<string, boolean>();

	/** Chains may be longer than the stack is deep, and may be made to loop. */
	function isWhole(checkpoint: StoredCheckpoint): boolean {
		const visited: string[] = [];
		let outcome: boolean | undefined;
		for (let next: StoredCheckpoint | undefined = checkpoint; outcome === undefined; ) {
			if (!next) outcome = false;
			else {
				const text = textOf(next);
				outcome = visited.includes(text) ? false : whole.get(text);
				visited.push(text);
				if (next.parent === null) outcome ??= true;
				else next = byId.get(textOf(next.parent));
			}
		}
		for (const text of visited) whole.set(text, outcome);
		return outcome;
	}

	const broken: CheckpointId[] = [];
	const byProject = new Map<string, StoredCheckpoint[]>();
	for (const checkpoint of byId.values()) {
		const { projectId, generation, sequence } = checkpoint;
		if (!isWhole(checkpoint)) broken.push({ projectId, generation, sequence });
		else if (!byProject.get(projectId)?.push(checkpoint)) byProject.set(projectId, [checkpoint]);
	}
	/** Of checkpoints whose chain is whole. */
	function borrowedBy(projectId: string, own: readonly StoredCheckpoint[]): StoredCheckpoint[] {
		const borrowed = new Set<StoredCheckpoint>();
		for (const { parent } of own) {
			const chain: StoredCheckpoint[] = [];
			let next = parent && parent.projectId !== projectId ? byId.get(textOf(parent)) : undefined;
			while (next && !borrowed.has(next)) {
				chain.unshift(next);
				next = next.parent ? byId.get(textOf(next.parent)) : undefined;
			}
			for (const checkpoint of chain) borrowed.add(checkpoint);
		}
		return [...borrowed];
	}

	const projects = [...byProject].map(([id, own]) => ({
		...toProject(id, own.toSorted(order)),
		borrowed: borrowedBy(id, own),
	}));
	return { projects, broken };
}

function toProject(id: string, checkpoints: readonly StoredCheckpoint[]): Omit<FoundProject, "borrowed"> {
	const { generation, sequence } = checkpoints.at(-1) as StoredCheckpoint;
	const taken = checkpoints.map(({ takenAt }) => Date.parse(takenAt));
	return {
		id,
		facts: checkpoints.findLast(({ project }) => project)?.project,
		checkpoints: checkpoints.map((checkpoint) => ({ checkpoint, recovered: isRecovered(checkpoint, checkpoints) })),
		current: { projectId: id, generation, sequence },
		firstTakenAt: new Date(Math.min(...taken)),
	};
}

/** Whether the next generation went on from an earlier one of this generation, or began before this was taken. */
function isRecovered(checkpoint: StoredCheckpoint, all: readonly StoredCheckpoint[]): boolean {
	const next = all.find(({ generation }) => generation > checkpoint.generation);
	if (!next) return false;
	const { parent } = next;
	if (parent?.generation === checkpoint.generation) return checkpoint.sequence > parent.sequence;
	return checkpoint.sequence > next.sequence;
}
