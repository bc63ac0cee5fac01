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

/** More than these are put in order when a project comes to rest. */
const mostIncrementsAtRest = 2;

/** A part of the full checkpoint, as its divisor, from which on an increment is not written again at every rest. */
const largeIncrement = 8;

/**
 * Whether the increments on a base are to be written as one.
 * @param base the chain up to the checkpoint that the one would build on.
 */
export function isCompactionDue(chain: Chain, base: Chain): boolean {
	return chain.increments - base.increments > mostIncrementsAtRest;
}

/** Whether what was just written to take the place of many is so large that the next rest had better build on it. */
export function isBaseFrom(chain: Chain, bytes: number): boolean {
	return bytes * largeIncrement >= chain.fullBytes;
}
