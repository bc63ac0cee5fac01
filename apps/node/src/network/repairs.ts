import type { Logger } from "@repldock/service";
import type { KernelNews } from "../host/kernel-news.ts";

/** When the network is looked at, beside when somebody asks: at news of the kernel, and from time to time. */
export interface Repairs {
	begin(): void;
	/** No look begins after it. */
	end(): Promise<void>;
}

export interface RepairsOptions {
	/** Looks, mends, and tells the differences. */
	repair(): Promise<string[]>;
	/** Whether the news are of a change that is not the agent's own. */
	concerns(news: KernelNews): boolean;
	follow?(onNews: (news: KernelNews) => void): () => Promise<void>;
	everyMs?: number;
	log: Logger;
}

const defaultEveryMs = 30_000;
/** One change comes as many lines. */
const firstWaitMs = 50;
/** After a look nothing happens for ten times as long as it took, but no longer than this. */
const mostRestMs = 1_000;

export function createRepairs(options: RepairsOptions): Repairs {
	const { repair, concerns, follow, log, everyMs = defaultEveryMs } = options;
	let interval: NodeJS.Timeout | undefined;
	let soon: NodeJS.Timeout | undefined;
	let unfollow: (() => Promise<void>) | undefined;
	let restUntilMs = Number.NEGATIVE_INFINITY;
	let isOver = false;
	/** How often in a row the same was mended: then mending does not help, or somebody does not let be. */
	let inVain = 0;
	let before = "";

	async function look(): Promise<void> {
		const startedAtMs = performance.now();
		let differences: string[] = [];
		try {
			differences = await repair();
			const now = differences.join("\n");
			inVain = now !== "" && now === before ? inVain + 1 : 0;
			before = now;
		} catch (error) {
			inVain += 1;
			log.error({ err: error }, "the containers' network could not be looked at; it is tried again");
		}
		const tookMs = performance.now() - startedAtMs;
		const doubledMs = inVain > 2 ? firstWaitMs * 2 ** inVain : 0;
		restUntilMs = performance.now() + Math.min(Math.max(Math.min(10 * tookMs, mostRestMs), doubledMs), everyMs);
		// Whether it stays mended.
		if (differences.length > 0) lookSoon();
	}

	function lookSoon() {
		if (isOver) return;
		const waitMs = Math.max(firstWaitMs, restUntilMs - performance.now());
		soon ??= setTimeout(() => {
			soon = undefined;
			void look();
		}, waitMs);
	}

	function hear(news: KernelNews) {
		if (concerns(news)) lookSoon();
	}

	return {
		begin() {
			interval ??= setInterval(() => void look(), everyMs);
			unfollow ??= follow?.(hear);
		},
		async end() {
			isOver = true;
			clearInterval(interval);
			await unfollow?.();
			clearTimeout(soon);
		},
	};
}
