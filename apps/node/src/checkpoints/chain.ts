import { z } from "zod";

/** What it would take to restore a project: a full checkpoint and those that build on it. */
export const Chain = z.object({
	fullBytes: z.int(),
	increments: z.int(),
	incrementBytes: z.int(),
});
export type Chain = z.infer<typeof Chain>;

const mostIncrements = 32;
const mostIncrementsOfFull = 2;

/** Long chains take long to restore, and hold what was deleted long ago. */
export function isFullDue(chain: Chain): boolean {
	return chain.increments >= mostIncrements || chain.incrementBytes >= mostIncrementsOfFull * chain.fullBytes;
}

/** The chain with one more checkpoint. */
export function extendChain(chain: Chain | null, bytes: number): Chain {
	if (chain === null) return { fullBytes: bytes, increments: 0, incrementBytes: 0 };
	return { ...chain, increments: chain.increments + 1, incrementBytes: chain.incrementBytes + bytes };
}

/** The chain as it is when nothing may build on it any more. */
export function endChain(chain: Chain): Chain {
	return { ...chain, increments: mostIncrements };
}
