import type { Activity } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { Placements } from "../placements/placements.ts";
import { createUseWatch, type SleepTimes, sleepStep } from "./use-watch.ts";

/** Pauses and stops containers that nobody uses. */
export interface Sleep {
	/** Looks at all containers and does what their use asks for; settles when that is done. */
	check(): Promise<void>;
	/** It is about to be paused or stopped for want of use: visits must ask the agent. */
	isFallingAsleep(projectId: string): boolean;
	/** Somebody needs it now: falling asleep is given up, or waited for if it is too late for that. */
	disturb(projectId: string): Promise<void>;
	/** Pages or terminals may have connected: a paused container that has some goes on. */
	attend(projectId: string): void;
}

export interface SleepOptions {
	placements: Pick<Placements, "projects" | "find" | "life" | "present" | "ensureRunning" | "pause" | "stop">;
	times: SleepTimes;
	/** Visits as the edge counts them, of one project or of all. @throws when the edge does not answer. */
	activity(projectId?: string): Promise<Activity>;
	/** Open pages, attached terminals, and a wake that is under way. */
	connections(projectId: string): number;
	/** `isFallingAsleep` changed; settles when the edge knows. */
	announce(projectId: string): Promise<void>;
	/** Milliseconds since any time; default: the clock. */
	now?: () => number;
	log: Logger;
}

/**
 * A visit must never meet a container that stands still. So the edge is told first that visits have to ask; visits that
 * began before that are counted by then (the edge counts before it reads the route), and only when there are none is the
 * container paused. Those that come later wait in `disturb`, and wake it.
 */
export function createSleep(options: SleepOptions): Sleep {
	const { placements, times, log } = options;
	const watch = createUseWatch(options.now);
	const falling = new Map<string, { disturbed: boolean; done: Promise<void> }>();

	function nextStep(projectId: string, { projects }: Activity) {
		const { state } = placements.life(projectId);
		const use = { connections: options.connections(projectId), visits: projects[projectId] };
		const unusedMs = watch.look(projectId, state, use);
		if (state === "paused" && (unusedMs === 0 || placements.find(projectId)?.alwaysOn)) return "wake";
		return placements.find(projectId)?.alwaysOn ? null : sleepStep(state, unusedMs, times);
	}

	async function fallAsleep(projectId: string, step: "pause" | "stop") {
		const attempt = { disturbed: false, done: Promise.resolve() };
		const finish = async () => {
			try {
				await options.announce(projectId);
				const use = await options.activity(projectId);
				if (attempt.disturbed || nextStep(projectId, use) !== step) return;
				await placements[step](projectId);
				log.info({ projectId, step }, "container fell asleep for want of use");
			} catch (error) {
				log.warn({ err: error, projectId, step }, "an unused container could not fall asleep");
			} finally {
				falling.delete(projectId);
				void options.announce(projectId);
			}
			attend(projectId);
		};
		falling.set(projectId, attempt);
		attempt.done = finish();
		await attempt.done;
	}

	async function wake(projectId: string) {
		try {
			await placements.ensureRunning(projectId);
		} catch (error) {
			log.error({ err: error, projectId }, "a paused container could not be woken");
		}
	}

	function attend(projectId: string) {
		if (placements.life(projectId).state === "paused" && options.connections(projectId) > 0) void wake(projectId);
	}

	return {
		async check() {
			const present = placements.projects().filter((projectId) => placements.present(projectId));
			watch.keepOnly((projectId) => placements.present(projectId) !== undefined);
			if (present.length === 0) return;
			let visits: Activity;
			try {
				visits = await options.activity();
			} catch (error) {
				log.debug({ err: error }, "the edge does not say who visits; nothing falls asleep");
				return;
			}
			const doNext = async (projectId: string) => {
				if (falling.has(projectId)) return;
				const step = nextStep(projectId, visits);
				if (step === "wake") await wake(projectId);
				else if (step) await fallAsleep(projectId, step);
			};
			await Promise.all(present.map(doNext));
		},

		isFallingAsleep: (projectId) => falling.has(projectId),

		async disturb(projectId) {
			watch.use(projectId);
			const attempt = falling.get(projectId);
			if (!attempt) return;
			attempt.disturbed = true;
			await attempt.done;
		},

		attend,
	};
}
