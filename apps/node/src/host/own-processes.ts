/**
 * The processes by which this agent changes the kernel's network. The kernel's news name who made a change, so what is not
 * by one of these is somebody else's.
 */
export interface OwnProcesses {
	started(pid: number | undefined): void;
	ended(pid: number | undefined): void;
	/** Notes the process that the work starts and waits for. */
	during<T>(work: (started: (pid: number | undefined) => void) => Promise<T>): Promise<T>;
	has(pid: number): boolean;
}

/** News may be read late; by then the number is no other process's yet. */
const keptForMs = 5_000;

export function createOwnProcesses(): OwnProcesses {
	const pids = new Set<number>();
	function started(pid: number | undefined) {
		if (pid !== undefined) pids.add(pid);
	}
	function ended(pid: number | undefined) {
		if (pid !== undefined) setTimeout(() => pids.delete(pid), keptForMs).unref();
	}
	return {
		started,
		ended,
		async during(work) {
			let noted: number | undefined;
			try {
				return await work((pid) => {
					noted = pid;
					started(pid);
				});
			} finally {
				ended(noted);
			}
		},
		has: (pid) => pids.has(pid),
	};
}
