import type { Logger } from "./log.ts";

/** Undoes one acquisition; doing it twice must be harmless. */
export type Release = () => void | Promise<void>;

/**
 * What was acquired and how to give it back. Push when a thing is acquired; `run` releases in reverse order, once,
 * and goes on after a failure so that one stuck resource does not keep the others.
 */
export interface CleanupStack {
	push(name: string, release: Release): void;
	run(): Promise<void>;
}

export function createCleanupStack(log: Logger): CleanupStack {
	const releases: { name: string; release: Release }[] = [];
	let finished: Promise<void> | undefined;

	async function releaseAll() {
		for (let last = releases.pop(); last; last = releases.pop()) {
			try {
				await last.release();
			} catch (error) {
				log.error({ err: error, resource: last.name }, "could not be released");
			}
		}
	}

	return {
		push(name, release) {
			releases.push({ name, release });
		},
		run() {
			finished ??= releaseAll();
			return finished;
		},
	};
}
