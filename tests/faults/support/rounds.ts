import { randomInt } from "node:crypto";

/** Choices of one round. The same seed makes the same choices; how the machine's own threads interleave is not ours. */
export interface Random {
	/** Both ends included. */
	int(least: number, most: number): number;
	pick<T>(choices: readonly [T, ...T[]]): T;
	chance(share: number): boolean;
}

const isLong = process.env.REPLDOCK_FAULTS === "long";
const onlySeed = process.env.REPLDOCK_FAULTS_SEED;

/** Enough for as many rounds, in milliseconds; a round that hangs ends by its own waits long before. */
export const roundsTimeoutMs = (isLong ? 90 : 15) * 60_000;

/**
 * Runs rounds of one kind of fault, each with a seed of its own: `short` of them in every run of the tests, `long` of
 * them under `./repldock test faults`, one with REPLDOCK_FAULTS_SEED. The first that fails says how it is repeated.
 */
export async function runRounds(
	kind: string,
	counts: { short: number; long: number },
	round: (random: Random) => Promise<void>,
): Promise<void> {
	const count = onlySeed ? 1 : isLong ? counts.long : counts.short;
	for (let at = 1; at <= count; at += 1) {
		const seed = onlySeed ? Number(onlySeed) : randomInt(2 ** 32);
		process.stdout.write(`faults: ${kind}, round ${at} of ${count}, seed ${seed}\n`);
		try {
			await round(createRandom(seed));
		} catch (cause) {
			const why = cause instanceof Error ? cause.message : String(cause);
			const again = `REPLDOCK_FAULTS_SEED=${seed} ./repldock test tests/faults -t "${kind}"`;
			throw new Error(`${kind}, round ${at}: ${why}\nTo repeat it: ${again}`, { cause });
		}
	}
}

/** Mulberry32. */
function createRandom(seed: number): Random {
	let state = seed >>> 0;
	function next(): number {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = state;
		mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	}
	const int = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
	return {
		int,
		pick: (choices) => choices[int(0, choices.length - 1)] ?? choices[0],
		chance: (share) => next() < share,
	};
}
