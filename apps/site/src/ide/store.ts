/** A value that changes over time and tells who listens; fits React's `useSyncExternalStore`. */
export type Store<T> = {
	get(): T;
	/** Sets the value; listeners are told only when it is another one (`Object.is`). */
	set(value: T): void;
	/** @returns a function that ends the subscription; calling it twice is harmless. */
	subscribe(listener: () => void): () => void;
};

export function createStore<T>(initial: T): Store<T> {
	let value = initial;
	const listeners = new Set<() => void>();
	return {
		get: () => value,
		set(next) {
			if (Object.is(next, value)) return;
			value = next;
			for (const listener of [...listeners]) listener();
		},
		subscribe(listener) {
			listeners.add(listener);
			return () => listeners.delete(listener);
		},
	};
}
