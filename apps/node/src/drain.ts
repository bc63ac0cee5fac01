/** Asks the agent to end together with the node's containers; TERM ends it alone. Node keeps USR1 for its debugger. */
export const drainSignal = "SIGUSR2";

/** Whatever does not end by then is left to the supervisor, so that it does not keep the others from the object store. */
export const containersEndWithinMs = 60_000;

/** An agent that another one follows at once leaves to it what takes longer. */
export const handOverPatienceMs = 5_000;

/** For the site's answer; a node that starts again tells it what is left. */
export const toldWithinMs = 5_000;

/** For all else that the agent closes. */
const closesWithinMs = 15_000;

/** How long an agent that was asked to drain may take, in milliseconds. */
export function drainTimeoutMs({ drainPatienceMs }: { drainPatienceMs: number }): number {
	return containersEndWithinMs + drainPatienceMs + toldWithinMs + closesWithinMs;
}

/** @returns once the agent is asked to end, and whether the containers end with it. */
export function untilAsked(): Promise<{ drains: boolean }> {
	return new Promise((resolve) => {
		// Not `once`: asked twice, a process without a listener would end where it stands.
		for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => resolve({ drains: false }));
		process.on(drainSignal, () => resolve({ drains: true }));
	});
}
