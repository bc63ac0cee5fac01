/** Lets callers wait for news of a key: each piece of news makes them look again, and time ends the wait. */
export interface Arrivals {
	tell(key: string): void;
	/** @returns whether the condition came to hold within the time. */
	until(key: string, condition: () => boolean, timeoutMs: number): Promise<boolean>;
}

export function createArrivals(): Arrivals {
	const waiting = new Map<string, Set<() => void>>();
	return {
		tell(key) {
			for (const look of [...(waiting.get(key) ?? [])]) look();
		},
		until(key, condition, timeoutMs) {
			if (condition()) return Promise.resolve(true);
			return new Promise((resolve) => {
				const looks = waiting.get(key) ?? new Set();
				waiting.set(key, looks);
				const settle = (holds: boolean) => {
					clearTimeout(timer);
					looks.delete(look);
					if (looks.size === 0 && waiting.get(key) === looks) waiting.delete(key);
					resolve(holds);
				};
				const look = () => {
					if (condition()) settle(true);
				};
				const timer = setTimeout(() => settle(condition()), timeoutMs);
				looks.add(look);
			});
		},
	};
}
