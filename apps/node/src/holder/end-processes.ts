import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@repldock/service";
import { createProcessFinder, isPaused, type ProcessChoice } from "./processes.ts";

/** Time that programs have to tidy up before they are killed. */
const termGraceMs = 1_500;
const lookEveryMs = 25;

/** Killing goes on this long; what is left then is stuck in the kernel. */
const killTimeoutMs = 20_000;

/** Rounds in which even a bomb at a high process limit comes to a stop. */
const stopRounds = 50;

/** A container, as far as ending processes in it needs to know it. */
export interface ContainerReference {
	id: string;
	/** Host process id of its init; 0 when it does not run. */
	pid: number;
}

/**
 * Ends the chosen processes and their descendants: TERM and HUP, then KILL until none is left. An interactive shell
 * ignores TERM but heeds HUP, and stopped programs must go on to hear either.
 * @returns false when some could not be killed, and at once when the container is paused.
 */
export async function endMarked(container: ContainerReference, choice: ProcessChoice, log: Logger): Promise<boolean> {
	const find = createProcessFinder(container.pid, choice);
	const asked = find();
	if (asked.length === 0) return true;
	if (isPaused(container.pid)) return false;
	for (const signal of ["SIGTERM", "SIGHUP", "SIGCONT"] as const) signalAll(asked, signal);
	if (await allGone(find, termGraceMs)) return true;

	const giveUpAt = performance.now() + killTimeoutMs;
	while (performance.now() < giveUpAt) {
		killStopped(find);
		if (await allGone(find, 4 * lookEveryMs)) return true;
	}
	log.error({ container: container.id, left: find() }, "processes could not be killed");
	return false;
}

async function allGone(find: () => number[], withinMs: number): Promise<boolean> {
	const until = performance.now() + withinMs;
	while (find().length > 0) {
		if (performance.now() >= until) return false;
		await delay(lookEveryMs);
	}
	return true;
}

/**
 * Stops all, again and again until no new one appears, and only then kills: a fork bomb that is killed one by one
 * grows back. Freezing the whole container would stop what is none of ours, and engines fail to freeze a fork bomb.
 */
function killStopped(find: () => number[]): void {
	const stopped = new Set<number>();
	for (let round = 0; round < stopRounds; round += 1) {
		const fresh = find().filter((pid) => !stopped.has(pid));
		if (fresh.length === 0) break;
		signalAll(fresh, "SIGSTOP");
		for (const pid of fresh) stopped.add(pid);
	}
	signalAll(find(), "SIGKILL");
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
	for (const pid of pids) {
		try {
			process.kill(pid, signal);
		} catch (error) {
			// It ended meanwhile, which is all that was wanted.
			if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
		}
	}
}
