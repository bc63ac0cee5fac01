import type { Activity, ContainerState } from "@repldock/protocol";

/** What tells whether somebody still needs a container. */
export interface Use {
	/** Open pages, attached terminals and the like. */
	connections: number;
	/** Visits of its app, as the edge counts them; undefined when there were none. */
	visits: Activity["projects"][string] | undefined;
}

/** How long a project may be unused; null means for ever. */
export interface SleepTimes {
	pauseAfterMs: number | null;
	stopAfterMs: number | null;
}

/** What is to be done with a container that was unused for so long. */
export function sleepStep(state: ContainerState, unusedMs: number, times: SleepTimes): "pause" | "stop" | null {
	const isOver = (limitMs: number | null) => limitMs !== null && unusedMs >= limitMs;
	if (state !== "running" && state !== "paused") return null;
	if (isOver(times.stopAfterMs)) return "stop";
	return state === "running" && isOver(times.pauseAfterMs) ? "pause" : null;
}

/** Remembers when each project was last used. Call `look` from time to time with those whose container is there. */
export interface UseWatch {
	/** @returns for how long it is unused; 0 while it is in use, and at the first look. */
	look(projectId: string, state: ContainerState, use: Use): number;
	/** Somebody needs its container now. */
	use(projectId: string): void;
	/** Forgets projects whose container is gone. */
	keepOnly(isPresent: (projectId: string) => boolean): void;
}

export function createUseWatch(now: () => number = Date.now): UseWatch {
	const known = new Map<string, { usedAtMs: number; state: ContainerState }>();
	return {
		look(projectId, state, { connections, visits }) {
			const before = known.get(projectId);
			const inUse = connections > 0 || visits?.active === true;
			// Whoever woke it, by a program of theirs perhaps, has it for the whole time again.
			const woke = before?.state === "paused" && state === "running";
			const visitedAtMs = visits?.idleMs == null ? 0 : now() - visits.idleMs;
			const usedAtMs = inUse || woke || !before ? now() : Math.max(before.usedAtMs, visitedAtMs);
			known.set(projectId, { usedAtMs, state });
			return Math.max(0, now() - usedAtMs);
		},

		use(projectId) {
			const before = known.get(projectId);
			if (before) known.set(projectId, { ...before, usedAtMs: now() });
		},

		keepOnly(isPresent) {
			for (const projectId of known.keys()) if (!isPresent(projectId)) known.delete(projectId);
		},
	};
}
