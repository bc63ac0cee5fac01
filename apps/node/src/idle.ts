/** What tells whether somebody still needs a container. */
export interface Use {
	/** Open pages and attached terminals. */
	connections: number;
	/** Programs that run in it: the console's or a terminal's. */
	runningPrograms: number;
}

/**
 * Finds containers that nobody uses: nobody is connected and nothing runs but shells that nobody looks at. Call `check`
 * from time to time with the projects whose container runs.
 */
export function createIdleWatch(options: { timeoutMs: number; use(projectId: string): Use; now?: () => number }): {
	check(runningProjects: readonly string[]): string[];
} {
	const now = options.now ?? Date.now;
	const unusedSince = new Map<string, number>();
	return {
		/** @returns the projects that were unused for the whole time. */
		check(runningProjects) {
			const running = new Set(runningProjects);
			for (const projectId of unusedSince.keys()) if (!running.has(projectId)) unusedSince.delete(projectId);
			return runningProjects.filter((projectId) => {
				const { connections, runningPrograms } = options.use(projectId);
				if (connections > 0 || runningPrograms > 0) {
					unusedSince.delete(projectId);
					return false;
				}
				const since = unusedSince.get(projectId) ?? now();
				unusedSince.set(projectId, since);
				return now() - since >= options.timeoutMs;
			});
		},
	};
}
