import { createBackoff } from "@repldock/service";

/** Does something again that failed, ever less often until it succeeds. */
export interface Retry {
	/** Once, after a while; asking twice is asking once. */
	later(): void;
	/** It is done now, so that what was to be done later need not be. */
	begin(): void;
	succeeded(): void;
	/** Nothing is done again from now on. */
	close(): void;
}

export function createRetry(action: () => void, times: { firstMs: number; mostMs: number }): Retry {
	const backoff = createBackoff(times.firstMs, times.mostMs);
	let timer: NodeJS.Timeout | undefined;
	let closed = false;

	function begin() {
		clearTimeout(timer);
		timer = undefined;
	}

	return {
		later() {
			if (closed) return;
			timer ??= setTimeout(action, backoff.nextMs());
			timer.unref();
		},
		begin,
		succeeded: () => backoff.reset(),
		close() {
			closed = true;
			clearTimeout(timer);
		},
	};
}
