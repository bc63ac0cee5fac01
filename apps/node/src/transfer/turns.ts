import { RepldockError } from "@repldock/protocol";

/** At a time; each may hold a spooled zip and keeps a disk busy. */
const mostPerNode = 8;

/** Imports and restores put many files in place together: one at a time of a project, a few of a node. */
export interface Turns {
	/** @throws RepldockError `too_many_requests` when it is not the project's turn; nothing is waited for. */
	take<T>(projectId: string, work: () => Promise<T>): Promise<T>;
}

export function createTurns(): Turns {
	const busy = new Set<string>();

	return {
		async take(projectId, work) {
			if (busy.has(projectId)) {
				throw new RepldockError(
					"too_many_requests",
					"An import into this project, or a restore of it, is under way. Wait until it is done.",
				);
			}
			if (busy.size >= mostPerNode) {
				throw new RepldockError(
					"too_many_requests",
					"Many imports are under way on this server. Try again in a minute.",
				);
			}
			busy.add(projectId);
			try {
				return await work();
			} finally {
				busy.delete(projectId);
			}
		},
	};
}
