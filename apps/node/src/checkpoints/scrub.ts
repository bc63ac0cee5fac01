import { type ObjectStore, scrubObject } from "@repldock/objects";
import type { Checkpoint, ScrubAnswer, ScrubQuestion } from "@repldock/protocol";
import { createBackoff, type Logger } from "@repldock/service";

export interface ScrubOptions {
	store: ObjectStore;
	/** In which every object is read once. */
	periodMs: number;
	nodeId(): string | null;
	/** What is next, by the site. @throws when it does not answer. */
	next(question: ScrubQuestion): Promise<ScrubAnswer>;
	/** What is in the store of these projects does not make up what they are now. */
	storeAnew(projectIds: readonly string[]): void;
	log: Logger;
	/** @throws when the signal aborts. */
	wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** Beside what people do, reading is to be felt by nobody. */
const bytesPerSecond = 8 * 1024 * 1024;

/** Asked again at least so often: what is due may come sooner than was said. */
const longestWaitMs = 60 * 60 * 1000;

/**
 * Reads this node's objects back, one after another, over and over, until the signal aborts. How far it is is the site's to
 * remember, so it goes on where it was; so is which projects damage concerns, whoever found it, and forks among them.
 */
export async function scrubOnSchedule(options: ScrubOptions, signal: AbortSignal): Promise<void> {
	const { store, periodMs, log } = options;
	const backoff = createBackoff(10_000, 10 * 60_000);
	let done: ScrubQuestion["done"] = null;

	async function step() {
		const nodeId = options.nodeId();
		if (nodeId === null) return options.wait(backoff.nextMs(), signal);
		const { checkpoints, waitMs, storeAnew } = await options.next({ nodeId, periodMs, done });
		done = null;
		if (storeAnew.length > 0) options.storeAnew(storeAnew);
		if (waitMs > longestWaitMs) return options.wait(longestWaitMs, signal);
		await options.wait(waitMs, signal);
		const [first] = checkpoints;
		if (first) done = await check(first.key, checkpoints);
		backoff.reset();
	}

	async function check(key: string, checkpoints: readonly Checkpoint[]) {
		const findings = await scrubObject(store, key, checkpoints, { bytesPerSecond, signal });
		const named = findings.map(({ part, problem, detail }) => {
			const { projectId, generation, sequence } = part;
			return { checkpoint: { projectId, generation, sequence }, problem, detail };
		});
		if (named.length > 0) {
			log.error({ key, findings: named }, "an object is not as it was stored; see docs/STORAGE.md, Damage");
		}
		return { key, findings: named };
	}

	while (!signal.aborted) {
		try {
			await step();
		} catch (error) {
			if (signal.aborted) return;
			log.warn({ err: error }, "objects are not read back for now; it is tried again");
			await options.wait(backoff.nextMs(), signal).catch(() => undefined);
		}
	}
}
