import { Problem } from "@repldock/protocol";

/** Reads a problem that a node reported; one that this version does not know any more reads as none. */
export function parseStoredProblem(value: unknown): Problem | null {
	const result = Problem.safeParse(value);
	return result.success ? result.data : null;
}
