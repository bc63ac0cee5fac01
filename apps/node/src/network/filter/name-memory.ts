/** Names of addresses that one member is remembered with; the oldest go first. */
const mostAddresses = 2_000;

/** Names that look like data on their way out: most of them are asked once. */
export interface NameUse {
	questions: number;
	refused: number;
	/** Different names asked for within the last minute, counted up to a bound. */
	uniqueNames: number;
	/** Longest name asked for within the last minute. */
	longestName: number;
}

const mostUniqueNames = 10_000;
const windowMs = 60_000;

/** What a node's name server remembers of one member: whose addresses it was told, and how it asks. */
export interface NameMemory {
	asked(name: string, nowMs: number): void;
	refused(): void;
	answered(name: string, address: string): void;
	nameOf(address: string): string | undefined;
	use(nowMs: number): NameUse;
}

export function createNameMemory(): NameMemory {
	const names = new Map<string, string>();
	const unique = new Set<string>();
	let windowStartMs = 0;
	let questions = 0;
	let refused = 0;
	let longestName = 0;

	function turn(nowMs: number) {
		if (nowMs - windowStartMs < windowMs) return;
		windowStartMs = nowMs;
		unique.clear();
		longestName = 0;
	}

	return {
		asked(name, nowMs) {
			turn(nowMs);
			questions += 1;
			longestName = Math.max(longestName, name.length);
			if (unique.size < mostUniqueNames) unique.add(name);
		},
		refused() {
			refused += 1;
		},
		answered(name, address) {
			names.delete(address);
			names.set(address, name);
			const oldest = names.keys().next().value;
			if (names.size > mostAddresses && oldest !== undefined) names.delete(oldest);
		},
		nameOf: (address) => names.get(address),
		use(nowMs) {
			turn(nowMs);
			return { questions, refused, uniqueNames: unique.size, longestName };
		},
	};
}
