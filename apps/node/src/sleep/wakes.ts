import { RepldockError, toProblem, type WakeFailure } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import { createArrivals } from "../placements/arrivals.ts";
import type { Placements } from "../placements/placements.ts";
import { createQueues } from "../placements/queues.ts";
import type { Runner } from "../workspace/runner.ts";
import type { Workspaces } from "../workspace/workspaces.ts";
import { lastLines } from "./last-lines.ts";
import type { Sleep } from "./sleep.ts";

export type WakeOutcome =
	/** Ask the routes again; also when there was nothing to wake. */
	| { kind: "awake" }
	/** The time ran out while it is still on its way. */
	| { kind: "waking" }
	| { kind: "failed"; failure: WakeFailure };

/** Wakes projects for their visitors. */
export interface Wakes {
	/** A visit has to ask: the project is asleep, on its way, or failed on its way. */
	needed(projectId: string): boolean;
	/**
	 * Wakes a project for one visit; many share one wake. A paused container goes on; one that is gone is started with its
	 * run command, and is awake when the main port listens, or `port` if one is asked for.
	 */
	wake(projectId: string, visit: { port: number | null; timeoutMs: number }): Promise<WakeOutcome>;
	/** One is under way. */
	isWaking(projectId: string): boolean;
	/** Begins to wake what is always on and has no container. */
	keepOn(): void;
	/** Ports, programs or the container's state changed. */
	changed(projectId: string): void;
	/** Somebody opened the project, who sees for themselves how it is: an earlier failure keeps nobody out. */
	forgive(projectId: string): void;
}

export interface WakesOptions {
	placements: Pick<Placements, "projects" | "find" | "life" | "ensureRunning">;
	sleep: Pick<Sleep, "isFallingAsleep" | "disturb">;
	workspaces: Pick<Workspaces, "open">;
	runner: Pick<Runner, "run">;
	console: {
		/** The console's program as last told; undefined when none was ever started. */
		state(projectId: string): { running: boolean; startedAtMs: number | null; exitCode: number | null } | undefined;
		/** The end of its output, as it was printed. */
		tail(projectId: string, mostLines: number): Promise<string>;
	};
	/** Ports that visitors reach. */
	ports(projectId: string): { main: number | null; open: readonly number[] };
	/** `needed` changed; settles when the edge knows. */
	announce(projectId: string): Promise<void>;
	/** How long an app may take to listen. */
	wakeTimeoutMs: number;
	/** After a failure nobody wakes it again for this long; default 5 s. */
	backoffMs?: number;
	log: Logger;
}

const shownLines = 40;
/** A visit of another port than the main one waits this long once the main one listens. */
const furtherPortMs = 5_000;
const programGoneWithinMs = 2_000;
/** Wakes by visits that start containers at the same time: more only wait for each other. */
const lanes = 4;

class WakeFailed extends Error {
	readonly failure: WakeFailure;

	constructor(failure: WakeFailure) {
		super(failure.detail);
		this.failure = failure;
	}
}

export function createWakes(options: WakesOptions): Wakes {
	const { placements, sleep, log } = options;
	const backoffMs = options.backoffMs ?? 5_000;
	const underWay = new Map<string, Promise<void>>();
	const failures = new Map<string, { atMs: number; failure: WakeFailure }>();
	const news = createArrivals();
	const queues = createQueues();
	let nextLane = 0;

	function needed(projectId: string): boolean {
		if (placements.find(projectId)?.want !== "running") return false;
		const { state } = placements.life(projectId);
		const isAsleep = state === "paused" || state === "stopped" || state === "stopping";
		return isAsleep || sleep.isFallingAsleep(projectId) || underWay.has(projectId) || failures.has(projectId);
	}

	/** @throws WakeFailed when the run command ends without an open port, and what starting a container throws. */
	async function bringUp(projectId: string): Promise<void> {
		if (placements.life(projectId).state === "paused") {
			await placements.ensureRunning(projectId);
			return;
		}
		if (placements.life(projectId).state !== "running") await untilProgramGone(projectId);
		const before = options.console.state(projectId);
		const startedBefore = before?.running ? null : before?.startedAtMs;
		let release = () => {};
		try {
			nextLane = (nextLane + 1) % lanes;
			await queues.run(String(nextLane), async () => {
				const container = placements.ensureRunning(projectId);
				const [workspace] = await Promise.all([options.workspaces.open(projectId), container]);
				release = workspace.watchPortsClosely();
				await options.runner.run(projectId, { columns: 80, rows: 24 });
			});
			await untilListening(projectId, startedBefore);
		} catch (error) {
			const code = error instanceof RepldockError ? error.code : undefined;
			if (code === "already_running") await untilListening(projectId, startedBefore);
			else if (code !== "nothing_to_run") throw error;
		} finally {
			release();
		}
	}

	/** The container has just ended; the news that its program has may still be on its way. */
	async function untilProgramGone(projectId: string): Promise<void> {
		const isGone = () => options.console.state(projectId)?.running !== true;
		await news.until(projectId, isGone, programGoneWithinMs);
	}

	async function untilListening(projectId: string, startedBefore: number | null | undefined): Promise<void> {
		const listens = () => options.ports(projectId).main !== null;
		const runs = () => placements.life(projectId).state === "running";
		const hasEnded = () => {
			const program = options.console.state(projectId);
			return program !== undefined && !program.running && program.startedAtMs !== startedBefore;
		};
		await news.until(projectId, () => listens() || hasEnded() || !runs(), options.wakeTimeoutMs);
		if (listens() || (runs() && !hasEnded())) return;
		// Its owner stopped it, or took it away.
		if (placements.find(projectId)?.want !== "running") return;
		const exitCode = options.console.state(projectId)?.exitCode ?? null;
		const ending = exitCode === null ? "ended" : `ended with exit code ${exitCode}`;
		throw new WakeFailed({
			code: "container_failed",
			detail: `The app's program ${ending} before it listened. Open the project to mend it, then press Run.`,
			exitCode,
			lines: await readLines(projectId),
		});
	}

	async function readLines(projectId: string): Promise<string[]> {
		try {
			return lastLines(await options.console.tail(projectId, shownLines), shownLines);
		} catch (error) {
			log.warn({ err: error, projectId }, "the last output could not be read");
			return [];
		}
	}

	function noteFailure(projectId: string, error: unknown) {
		const problem = toProblem(error);
		// Stopped by its owner meanwhile, or moved away: the route says so.
		if (problem.code === "not_running" || problem.code === "not_placed_here") return;
		if (!(error instanceof WakeFailed)) log.error({ err: error, projectId }, "a project could not be woken");
		const failure =
			error instanceof WakeFailed
				? error.failure
				: { code: problem.code, detail: problem.detail, exitCode: null, lines: [] };
		failures.set(projectId, { atMs: performance.now(), failure });
	}

	function begin(projectId: string): Promise<void> {
		const startedAtMs = performance.now();
		const from = placements.life(projectId).state;
		failures.delete(projectId);
		const work = bringUp(projectId)
			.then(
				() => log.info({ projectId, from, tookMs: performance.now() - startedAtMs }, "project woken"),
				(error: unknown) => noteFailure(projectId, error),
			)
			.then(async () => {
				underWay.delete(projectId);
				await options.announce(projectId);
			});
		underWay.set(projectId, work);
		void options.announce(projectId);
		return work;
	}

	/** The failure that still counts; with an old one the next visit tries again. */
	function freshFailure(projectId: string): WakeFailure | undefined {
		const known = failures.get(projectId);
		return known && performance.now() - known.atMs < backoffMs ? known.failure : undefined;
	}

	/** @returns whether the wake was over, or the port that was asked for listened, within the time. */
	async function settles(projectId: string, work: Promise<void>, port: number | null, timeoutMs: number) {
		const isStart = placements.life(projectId).state !== "paused";
		const untilMs = performance.now() + timeoutMs;
		const isOpen = () => port !== null && options.ports(projectId).open.includes(port);
		const portOpens = port === null ? new Promise<never>(() => {}) : news.until(projectId, isOpen, timeoutMs);
		const timeOut = Promise.withResolvers<false>();
		const timer = setTimeout(() => timeOut.resolve(false), timeoutMs);
		const isOver = await Promise.race([work.then(() => true), portOpens, timeOut.promise]);
		clearTimeout(timer);
		if (isOver && isStart && port !== null && !freshFailure(projectId)) {
			await news.until(projectId, isOpen, Math.min(furtherPortMs, untilMs - performance.now()));
		}
		return isOver;
	}

	async function wake(projectId: string, visit: { port: number | null; timeoutMs: number }): Promise<WakeOutcome> {
		await sleep.disturb(projectId);
		if (!needed(projectId)) return { kind: "awake" };
		const known = underWay.has(projectId) ? undefined : freshFailure(projectId);
		if (known) return { kind: "failed", failure: known };
		const work = underWay.get(projectId) ?? begin(projectId);
		if (!(await settles(projectId, work, visit.port, visit.timeoutMs))) return { kind: "waking" };
		const failure = freshFailure(projectId);
		return failure ? { kind: "failed", failure } : { kind: "awake" };
	}

	return {
		needed,

		async wake(projectId, visit) {
			const outcome = await wake(projectId, visit);
			// The visit goes by the route, which has to say what is true now.
			await options.announce(projectId);
			return outcome;
		},

		isWaking: (projectId) => underWay.has(projectId),

		keepOn() {
			for (const projectId of failures.keys()) if (!placements.find(projectId)) failures.delete(projectId);
			for (const projectId of placements.projects()) {
				const placement = placements.find(projectId);
				if (!placement?.alwaysOn || placement.want !== "running") continue;
				const { state } = placements.life(projectId);
				if (state !== "stopped" && state !== "failed") continue;
				if (!underWay.has(projectId) && !freshFailure(projectId)) void begin(projectId);
			}
		},

		changed: (projectId) => news.tell(projectId),

		forgive(projectId) {
			if (failures.delete(projectId)) void options.announce(projectId);
		},
	};
}
