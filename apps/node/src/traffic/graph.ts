import type { TrafficSample } from "@repldock/protocol";

/** Five minutes of a project that somebody looks at, more of one that is looked at every ten seconds alone. */
export const samplesKept = 300;

/** The last samples of each project, for the graphs. */
export interface Graph {
	add(projectId: string, sample: TrafficSample): void;
	/** Oldest first. */
	samples(projectId: string): readonly TrafficSample[];
	/** Forgets all projects but these. */
	keepOnly(projectIds: ReadonlySet<string>): void;
}

export function createGraph(): Graph {
	const byProject = new Map<string, TrafficSample[]>();
	return {
		add(projectId, sample) {
			const samples = byProject.get(projectId) ?? [];
			byProject.set(projectId, samples);
			samples.push(sample);
			if (samples.length > samplesKept) samples.splice(0, samples.length - samplesKept);
		},
		samples: (projectId) => byProject.get(projectId) ?? [],
		keepOnly(projectIds) {
			for (const projectId of byProject.keys()) if (!projectIds.has(projectId)) byProject.delete(projectId);
		},
	};
}
