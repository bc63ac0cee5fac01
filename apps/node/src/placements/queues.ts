/** One queue a key: work of the same key runs one after the other, work of different keys at the same time. */
export interface Queues {
	run<T>(key: string, work: () => Promise<T>): Promise<T>;
}

export function createQueues(): Queues {
	const tails = new Map<string, Promise<unknown>>();
	return {
		run(key, work) {
			const result = (tails.get(key) ?? Promise.resolve()).then(work, work);
			const tail = result.catch(() => undefined);
			tails.set(key, tail);
			void tail.then(() => {
				if (tails.get(key) === tail) tails.delete(key);
			});
			return result;
		},
	};
}
