import { join } from "node:path";
import {
	type DesiredPlacement,
	type ObservedPlacement,
	type Problem,
	RepldockError,
	toProblem,
} from "@repldock/protocol";
import { createBackoff, type Logger } from "@repldock/service";
import type { ContainerStatus, Engine, Volumes } from "../host.ts";
import { reconcile, type Step } from "../reconcile/reconcile.ts";
import { createArrivals } from "./arrivals.ts";
import { type ContainerLife, type ContainerMove, moveContainer, stoppedLife } from "./container-life.ts";
import { createQueues } from "./queues.ts";
import { readState, writeState } from "./state-file.ts";

export interface RunningContainer {
	containerId: string;
	/** Host process id of the container's first process. */
	pid: number;
	/** IPv4 address on the node's bridge. */
	address: string;
	/** The slug it was started with; the project may have been renamed since. */
	slug: string;
}

export interface PlacementsOptions {
	engine: Engine;
	volumes: Volumes;
	image: string;
	templatesDirectory: string;
	/** Most containers at a time. */
	slots: number;
	stateFile: string;
	/** Observed state of these projects changed. */
	onChange(projectId: string): void;
	log: Logger;
	/** Shortest and longest time, in milliseconds, before what failed is tried again. */
	retry?: { firstMs: number; mostMs: number };
}

export interface Placements {
	/** Reads the last desired set, adopts containers that still run and removes leftovers. Call once, first. */
	recover(): Promise<void>;
	/** Takes the site's full desired set and brings the node to it. */
	apply(desired: readonly DesiredPlacement[]): Promise<void>;
	find(projectId: string): DesiredPlacement | undefined;
	/**
	 * Waits for a placement that is on its way, in this version of the site's want or a later one.
	 * @throws RepldockError `not_placed_here` after the time.
	 */
	wait(projectId: string, wantVersion: number, timeoutMs: number): Promise<DesiredPlacement>;
	life(projectId: string): ContainerLife;
	running(projectId: string): RunningContainer | undefined;
	/**
	 * Makes sure that the project's container runs; many callers share one start.
	 * @throws RepldockError `not_placed_here`, `not_running` (the site wants it stopped), `container_failed`, `disk_full`.
	 */
	ensureRunning(projectId: string): Promise<RunningContainer>;
	/** Makes sure that the project's files are there, without a container. */
	ensureVolume(projectId: string): Promise<void>;
	stop(projectId: string): Promise<void>;
	/** The engine says that a container ended. */
	containerEnded(projectId: string, containerId: string): Promise<void>;
	projects(): string[];
	observed(projectIds?: readonly string[]): ObservedPlacement[];
	/** Tries nothing again from now on. */
	close(): void;
}

/** Time that a container's programs get between TERM and KILL when it is stopped. */
const stopTimeoutMs = 1_500;

export function createPlacements(options: PlacementsOptions): Placements {
	const { engine, volumes, log } = options;
	const desired = new Map<string, DesiredPlacement>();
	const lives = new Map<string, ContainerLife>();
	const containers = new Map<string, RunningContainer>();
	const answeredWants = new Map<string, number>();
	const purged = new Set<string>();
	const arrivals = createArrivals();
	const queues = createQueues();
	const starts = new Map<string, Promise<RunningContainer>>();
	const backoff = createBackoff(options.retry?.firstMs ?? 1_000, options.retry?.mostMs ?? 30_000);
	let retryTimer: NodeJS.Timeout | undefined;
	let closed = false;
	let saving: Promise<void> = Promise.resolve();

	const lifeOf = (projectId: string) => lives.get(projectId) ?? stoppedLife;

	function move(projectId: string, change: ContainerMove) {
		lives.set(projectId, moveContainer(lifeOf(projectId), change));
		options.onChange(projectId);
	}

	function save(): Promise<void> {
		saving = saving
			.catch(() => undefined)
			.then(() =>
				writeState(options.stateFile, {
					placements: [...desired.values()],
					answeredWants: Object.fromEntries(answeredWants),
				}),
			);
		return saving;
	}

	function placed(projectId: string): DesiredPlacement {
		const placement = desired.get(projectId);
		if (!placement) {
			throw new RepldockError("not_placed_here", "This project is not on this server. Reload the page to find it.");
		}
		return placement;
	}

	async function createVolume(placement: DesiredPlacement) {
		// One that waited behind the removal must not bring an empty volume back, which nobody would ever remove.
		if (placement.want === "purged") {
			throw new RepldockError("not_placed_here", "This project is being removed for good.");
		}
		await volumes.create(
			placement.projectId,
			join(options.templatesDirectory, placement.template),
			placement.limits.diskBytes,
		);
	}

	/** Starts that are under way have their slot already. @throws RepldockError `no_node` when all are taken. */
	function requireFreeSlot(projectId: string) {
		const others = [...lives].filter(
			([id, { state }]) => id !== projectId && state !== "stopped" && state !== "failed",
		);
		if (others.length < options.slots) return;
		throw new RepldockError("no_node", "This server is full now. Stop another project, or try again in a while.");
	}

	async function startContainer(placement: DesiredPlacement): Promise<RunningContainer> {
		const { projectId } = placement;
		const present = containers.get(projectId);
		if (present && lifeOf(projectId).state === "running") return present;
		// A stop that failed half-way: what it left is cleared away first.
		if (present) await stopContainer(projectId);
		const startedAtMs = performance.now();
		move(projectId, { kind: "start" });
		// Answered whether it works or not: a start that fails is tried again when a person asks, not for ever.
		answeredWants.set(projectId, placement.wantVersion);
		let containerId: string | undefined;
		try {
			requireFreeSlot(projectId);
			await createVolume(placement);
			const created = await engine.createContainer({
				projectId,
				generation: placement.generation,
				slug: placement.slug,
				image: options.image,
				volumePath: volumes.path(projectId),
				environment: {},
				limits: placement.limits,
			});
			containerId = created.id;
			await engine.startContainer(containerId);
			const container = toRunning(await engine.inspectContainer(containerId));
			containers.set(projectId, container);
			move(projectId, { kind: "started", containerId });
			log.info(
				{ projectId, generation: placement.generation, tookMs: performance.now() - startedAtMs },
				"container runs",
			);
			return container;
		} catch (error) {
			log.error({ err: error, projectId, generation: placement.generation }, "container could not be started");
			if (containerId) {
				// If the engine refuses this as well, the next reconciliation removes what is left.
				await engine.removeContainer(containerId).catch((cause: unknown) => {
					log.error({ err: cause }, "container was kept");
					reconcileLater();
				});
			}
			const problem = startProblem(error);
			// The project may have been taken from this node meanwhile; then nobody asks how it is.
			if (lifeOf(projectId).state === "starting") move(projectId, { kind: "failed", problem });
			throw new RepldockError(problem.code, problem.detail, { cause: error });
		}
	}

	async function stopContainer(projectId: string) {
		const container = containers.get(projectId);
		if (!container) {
			if (lifeOf(projectId).state === "failed") move(projectId, { kind: "gone" });
			return;
		}
		if (lifeOf(projectId).state === "running") move(projectId, { kind: "stop" });
		await engine.stopContainer(container.containerId, stopTimeoutMs);
		await engine.removeContainer(container.containerId);
		forget(projectId, container.containerId);
	}

	function forget(projectId: string, containerId: string) {
		if (containers.get(projectId)?.containerId !== containerId) return;
		containers.delete(projectId);
		move(projectId, { kind: "gone" });
	}

	async function carryOut(step: Step): Promise<void> {
		switch (step.kind) {
			case "removeContainer":
				log.info({ projectId: step.projectId, reason: step.reason }, "container removed");
				await engine.removeContainer(step.containerId);
				forget(step.projectId, step.containerId);
				return;
			case "start":
				// A failed start is state that people see, not a failure of reconciling.
				await ensureRunning(step.projectId).catch(() => undefined);
				return;
			case "stop":
				await queues.run(step.projectId, () => stopContainer(step.projectId));
				return;
			case "purge":
				await queues.run(step.projectId, async () => {
					await stopContainer(step.projectId);
					await volumes.remove(step.projectId);
					log.info({ projectId: step.projectId }, "project removed for good");
				});
				return;
		}
	}

	async function bringAbout(): Promise<void> {
		clearTimeout(retryTimer);
		retryTimer = undefined;
		try {
			if (await carryOutAll()) backoff.reset();
			else reconcileLater();
		} catch (error) {
			log.error({ err: error }, "the node's containers and volumes could not be looked at");
			reconcileLater();
		}
	}

	/** The site tells what it wants only when that changes, so what failed is tried again from here. */
	function reconcileLater() {
		if (closed) return;
		retryTimer ??= setTimeout(() => void queues.run("reconcile", bringAbout), backoff.nextMs());
		retryTimer.unref();
	}

	/** Runs all steps side by side, so that one project's trouble is not the others'. @returns whether all succeeded. */
	async function carryOutEach(steps: readonly Step[]): Promise<boolean> {
		const succeeded = await Promise.all(
			steps.map((step) =>
				carryOut(step).then(
					() => true,
					(error: unknown) => {
						log.error({ err: error, projectId: step.projectId, step: step.kind }, "a step failed; it is tried again");
						return false;
					},
				),
			),
		);
		return succeeded.every(Boolean);
	}

	/** @returns whether the node is now what the site wants. */
	async function carryOutAll(): Promise<boolean> {
		const listed = await engine.listContainers();
		for (const container of listed) answerRunning(container);
		const steps = reconcile(desired, {
			containers: listed.map((container) => ({
				id: container.id,
				projectId: container.projectId,
				generation: container.generation,
				running: container.state === "running" || container.state === "paused" || isStarting(container),
			})),
			volumes: new Set(await volumes.list()),
			answeredWants,
		});
		// First what is in the way: a start beside it would take the old container for the new one.
		const cleared = await carryOutEach(steps.filter(({ kind }) => kind === "removeContainer"));
		const done = await carryOutEach(steps.filter(({ kind }) => kind !== "removeContainer"));
		for (const placement of desired.values()) {
			if (placement.want !== "purged" || purged.has(placement.projectId)) continue;
			if (await volumes.exists(placement.projectId)) continue;
			purged.add(placement.projectId);
			options.onChange(placement.projectId);
		}
		return cleared && done;
	}

	/**
	 * A container that runs answers every want up to now. Otherwise one that is stopped for want of use would come back
	 * because the project was opened again while it ran.
	 */
	function answerRunning({ projectId, generation, state }: ContainerStatus) {
		const placement = desired.get(projectId);
		if (placement?.want !== "running" || placement.generation !== generation) return;
		if (state === "running" && lifeOf(projectId).state === "running") {
			answeredWants.set(projectId, placement.wantVersion);
		}
	}

	/** A container between its creation and its start belongs to a start that is under way. */
	function isStarting(container: ContainerStatus): boolean {
		return container.state === "created" && starts.has(container.projectId);
	}

	function ensureRunning(projectId: string): Promise<RunningContainer> {
		const current = containers.get(projectId);
		if (current && lifeOf(projectId).state === "running") return Promise.resolve(current);
		const underWay = starts.get(projectId);
		if (underWay) return underWay;
		const start = queues
			.run(projectId, async () => {
				const placement = placed(projectId);
				if (placement.want !== "running") {
					throw new RepldockError("not_running", "This project is stopped. Open it again to start it.");
				}
				const container = await startContainer(placement);
				// What the site wants may have changed while it started, unseen by a look at the node in that moment.
				const current = desired.get(projectId);
				if (current?.want === "running" && current.generation === placement.generation) return container;
				await stopContainer(projectId);
				throw new RepldockError("not_running", "This project was stopped in this moment. Open it again to start it.");
			})
			.finally(() => {
				starts.delete(projectId);
				void save().catch((error: unknown) => log.error({ err: error }, "the answered wants were not kept"));
			});
		starts.set(projectId, start);
		return start;
	}

	return {
		async recover() {
			const state = await readState(options.stateFile);
			for (const placement of state.placements) desired.set(placement.projectId, placement);
			for (const [projectId, version] of Object.entries(state.answeredWants)) answeredWants.set(projectId, version);
			for (const container of await engine.listContainers()) {
				const placement = desired.get(container.projectId);
				if (container.state !== "running" || container.generation !== placement?.generation) continue;
				containers.set(container.projectId, toRunning(container));
				move(container.projectId, { kind: "started", containerId: container.id });
				log.info({ projectId: container.projectId, generation: container.generation }, "container adopted");
			}
			await bringAbout();
		},

		async apply(placements) {
			const before = new Map([...desired].map(([projectId, placement]) => [projectId, JSON.stringify(placement)]));
			desired.clear();
			for (const placement of placements) {
				desired.set(placement.projectId, placement);
				arrivals.tell(placement.projectId);
			}
			for (const projectId of lives.keys())
				if (!desired.has(projectId) && !containers.has(projectId)) lives.delete(projectId);
			for (const projectId of answeredWants.keys()) if (!desired.has(projectId)) answeredWants.delete(projectId);
			for (const projectId of purged) if (!desired.has(projectId)) purged.delete(projectId);
			// Those alone that changed: telling of thousands for each project that somebody opens would drown the site.
			for (const [projectId, placement] of desired) {
				if (before.get(projectId) !== JSON.stringify(placement)) options.onChange(projectId);
			}
			// A full disk keeps the old set in the file; the node follows the new one all the same.
			await save().catch((error: unknown) => log.error({ err: error }, "the desired placements were not kept"));
			await queues.run("reconcile", bringAbout);
		},

		find: (projectId) => desired.get(projectId),

		async wait(projectId, wantVersion, timeoutMs) {
			const isHere = () => (desired.get(projectId)?.wantVersion ?? -1) >= wantVersion;
			await arrivals.until(projectId, isHere, timeoutMs);
			const placement = placed(projectId);
			if (isHere()) return placement;
			throw new RepldockError("not_placed_here", "The server has not heard of this yet. Try again in a moment.");
		},

		life: lifeOf,
		running: (projectId) => (lifeOf(projectId).state === "running" ? containers.get(projectId) : undefined),
		ensureRunning,

		async ensureVolume(projectId) {
			await queues.run(projectId, () => createVolume(placed(projectId)));
		},

		async stop(projectId) {
			await queues.run(projectId, () => stopContainer(projectId));
			// Opened in the moment in which it stopped: then it is wanted again.
			const placement = desired.get(projectId);
			if (placement?.want === "running" && (answeredWants.get(projectId) ?? -1) < placement.wantVersion) {
				await queues.run("reconcile", bringAbout);
			}
		},

		async containerEnded(projectId, containerId) {
			// The news may come before the start that it ends is done.
			await starts.get(projectId)?.catch(() => undefined);
			if (containers.get(projectId)?.containerId !== containerId || lifeOf(projectId).state === "stopping") return;
			await queues.run(projectId, async () => {
				await engine.removeContainer(containerId);
				forget(projectId, containerId);
			});
		},

		projects: () => [...desired.keys()],

		close() {
			closed = true;
			clearTimeout(retryTimer);
		},

		observed(projectIds = [...desired.keys()]) {
			return projectIds.flatMap((projectId) => {
				const placement = desired.get(projectId);
				if (!placement) return [];
				const life = lifeOf(projectId);
				return {
					projectId,
					generation: placement.generation,
					wantVersion: placement.wantVersion,
					state: purged.has(projectId) ? ("purged" as const) : life.state,
					problem: life.problem,
				};
			});
		},
	};
}

function toRunning(status: ContainerStatus | null): RunningContainer {
	if (!status?.address || status.pid === 0) throw new Error("the container ended right after its start");
	return { containerId: status.id, pid: status.pid, address: status.address, slug: status.slug };
}

function startProblem(error: unknown): Problem {
	if (error instanceof RepldockError) return toProblem(error);
	return toProblem(
		new RepldockError(
			"container_failed",
			"The container could not be started. Press Run to try again; if it stays, tell your operator.",
		),
	);
}
