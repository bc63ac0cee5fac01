import { randomUUID } from "node:crypto";
import type { SentCount, SetPacesMessage } from "./messages.ts";
import { createPace, type Pace } from "./pace.ts";

/** The paces of all projects, and what was sent by them. */
export interface Paces {
	of(projectId: string): Pace;
	/** Replaces what was said before. */
	set(message: SetPacesMessage): void;
	/** Of projects whose terminals were sent something within the last day. */
	counts(): SentCount[];
}

/** Long enough for an agent that comes back to read the last bytes. */
const countKeptMs = 24 * 3_600_000;

/** @param onWait is called when terminals of the project have to wait which had not to a moment ago. */
export function createPaces(onWait: (projectId: string) => void): Paces {
	const projects = new Map<string, { pace: Pace; count: string }>();
	let told: SetPacesMessage = { bytesPerSecond: null, projects: {} };

	const rateOf = (projectId: string) => told.projects[projectId] ?? told.bytesPerSecond;

	function forgetUnused(): void {
		const longAgo = performance.now() - countKeptMs;
		for (const [projectId, { pace }] of projects) {
			if (!pace.isUsed && pace.sentAtMs < longAgo) projects.delete(projectId);
		}
	}

	return {
		of(projectId) {
			const known = projects.get(projectId);
			if (known) return known.pace;
			const pace = createPace(() => onWait(projectId));
			pace.setRate(rateOf(projectId));
			projects.set(projectId, { pace, count: randomUUID() });
			return pace;
		},
		set(message) {
			told = message;
			for (const [projectId, { pace }] of projects) pace.setRate(rateOf(projectId));
		},
		counts() {
			forgetUnused();
			return [...projects].map(([projectId, { pace, count }]) => ({
				projectId,
				count,
				sentBytes: pace.sentBytes,
				waits: pace.hadToWait,
			}));
		},
	};
}
