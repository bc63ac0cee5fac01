import { join } from "node:path";
import {
	type DesiredPlacement,
	type ObservedPlacement,
	type Problem,
	RepldockError,
	toProblem,
} from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { ContainerStatus, Engine, Volumes } from "../host.ts";
import { reconcile, type Step } from "../reconcile/reconcile.ts";
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
	stateFile: string;
	/** Observed state of these projects changed. */
	onChange(projectId: string): void;
	log: Logger;
}

export interface Placements {
	/** Reads the last desired set, adopts containers that still run and removes leftovers. Call once, first. */
	recover(): Promise<void>;
	/** Takes the site's full desired set and brings the node to it. */
	apply(desired: readonly DesiredPlacement[]): Promise<void>;
	find(projectId: string): DesiredPlacement | undefined;
	/** Waits for a placement that is on its way. @throws RepldockError `not_placed_here` after the time. */
	wait(projectId: string, timeoutMs: number): Promise<DesiredPlacement>;
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
	const waiting = new Map<string, Set<() => void>>();
	const queues = createQueues();
	const starts = new Map<string, Promise<RunningContainer>>();
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
		await volumes.create(
			placement.projectId,
			join(options.templatesDirectory, placement.template),
			placement.limits.diskBytes,
		);
	}

	async function startContainer(placement: DesiredPlacement): Promise<RunningContainer> {
		const { projectId } = placement;
		const present = containers.get(projectId);
		if (present && lifeOf(projectId).state === "running") return present;
		const startedAtMs = performance.now();
		move(projectId, { kind: "start" });
		// Answered whether it works or not: a start that fails is tried again when a person asks, not for ever.
		answeredWants.set(projectId, placement.wantVersion);
		let containerId: string | undefined;
		try {
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
				await engine
					.removeContainer(containerId)
					.catch((cause: unknown) => log.error({ err: cause }, "container was kept"));
			}
			const problem = startProblem(error);
			move(projectId, { kind: "failed", problem });
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
		const steps = reconcile(desired, {
			containers: (await engine.listContainers()).map((container) => ({
				id: container.id,
				projectId: container.projectId,
				generation: container.generation,
				running: container.state === "running" || container.state === "paused" || isStarting(container),
			})),
			volumes: new Set(await volumes.list()),
			answeredWants,
		});
		await Promise.all(steps.map(carryOut));
		for (const placement of desired.values()) {
			if (placement.want !== "purged" || purged.has(placement.projectId)) continue;
			if (await volumes.exists(placement.projectId)) continue;
			purged.add(placement.projectId);
			options.onChange(placement.projectId);
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
				return startContainer(placement);
			})
			.finally(() => {
				starts.delete(projectId);
				void save();
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
			desired.clear();
			for (const placement of placements) {
				desired.set(placement.projectId, placement);
				for (const wake of waiting.get(placement.projectId) ?? []) wake();
			}
			for (const projectId of lives.keys())
				if (!desired.has(projectId) && !containers.has(projectId)) lives.delete(projectId);
			for (const projectId of answeredWants.keys()) if (!desired.has(projectId)) answeredWants.delete(projectId);
			for (const projectId of purged) if (!desired.has(projectId)) purged.delete(projectId);
			for (const projectId of desired.keys()) options.onChange(projectId);
			await save();
			await queues.run("reconcile", bringAbout);
		},

		find: (projectId) => desired.get(projectId),

		wait(projectId, timeoutMs) {
			const placement = desired.get(projectId);
			if (placement) return Promise.resolve(placement);
			return new Promise((resolve, reject) => {
				const wakes = waiting.get(projectId) ?? new Set();
				waiting.set(projectId, wakes);
				const settle = () => {
					clearTimeout(timer);
					wakes.delete(settle);
					if (wakes.size === 0) waiting.delete(projectId);
					try {
						resolve(placed(projectId));
					} catch (error) {
						reject(error);
					}
				};
				const timer = setTimeout(settle, timeoutMs);
				wakes.add(settle);
			});
		},

		life: lifeOf,
		running: (projectId) => (lifeOf(projectId).state === "running" ? containers.get(projectId) : undefined),
		ensureRunning,

		async ensureVolume(projectId) {
			await queues.run(projectId, () => createVolume(placed(projectId)));
		},

		async stop(projectId) {
			await queues.run(projectId, () => stopContainer(projectId));
		},

		async containerEnded(projectId, containerId) {
			if (containers.get(projectId)?.containerId !== containerId || lifeOf(projectId).state === "stopping") return;
			await queues.run(projectId, async () => {
				await engine.removeContainer(containerId);
				forget(projectId, containerId);
			});
		},

		projects: () => [...desired.keys()],

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
