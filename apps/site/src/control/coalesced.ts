/**
 * A trigger for an action that must not overlap itself: triggered while it is under way, it happens once more after,
 * however often it was triggered.
 */
export function createCoalesced(action: () => Promise<void>, onError: (error: unknown) => void): () => void {
	let running = false;
	let again = false;

	async function run() {
		running = true;
		try {
			do {
				again = false;
				await action();
			} while (again);
		} catch (error) {
			onError(error);
		} finally {
			running = false;
		}
	}

	return () => {
		again = true;
		if (!running) void run();
	};
}
