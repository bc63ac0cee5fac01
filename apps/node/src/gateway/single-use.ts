/** Remembers what was used until it would be refused anyway for its age. */
export interface SingleUse {
	/** @returns false when this id was taken before. @param untilMs when the thing itself expires, in epoch time. */
	take(id: string, untilMs: number): boolean;
}

/** How many uses are noted between two looks for those that are over. */
const tidyEvery = 256;

export function createSingleUse(now: () => number = Date.now): SingleUse {
	const taken = new Map<string, number>();
	let sinceTidied = 0;
	return {
		take(id, untilMs) {
			sinceTidied += 1;
			if (sinceTidied >= tidyEvery) {
				sinceTidied = 0;
				for (const [other, endsMs] of taken) if (endsMs < now()) taken.delete(other);
			}
			if (taken.has(id)) return false;
			taken.set(id, untilMs);
			return true;
		},
	};
}
