import { join } from "node:path";
import { type DesiredPlacement, type Problem, RepldockError, toProblem } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { ContainerStatus, Engine, Homes } from "../host.ts";
import type { Volumes } from "../host-storage.ts";
import { type ContainerLife, type ContainerMove, moveContainer, stoppedLife } from "./container-life.ts";
import { createMadeContainers, type RunningContainer, toRunning } from "./made-containers.ts";
import { createRoom } from "./room.ts";

export type { RunningContainer } from "./made-containers.ts";

/** What limits a container's traffic, from before its first program until after its last; see network/network.ts. */
export interface NetworkOfContainers {
	attach(container: RunningContainer, placement: DesiredPlacement): Promise<void>;
	/** @returns the projects whose containers must not run on. */
	adopt(containers: readonly { container: RunningContainer; placement: DesiredPlacement }[]): Promise<string[]>;
	policyChanged(placement: DesiredPlacement): Promise<void>;
	ending(projectId: string): Promise<void>;
	detach(projectId: string): Promise<void>;
}

export interface ContainersOptions {
	engine: Engine;
	volumes: Volumes;
	homes: Homes;
	image: string;
	templatesDirectory: string;
	/** Most containers at a time. */
	slots: number;
	network: NetworkOfContainers;
	/** Makes the volume of a project that is not new, when it is not here; leaves new ones alone. */
	restoreVolume?(placement: DesiredPlacement): Promise<void>;
	/** A container's life took a step. */
	onChange(projectId: string): void;
	/** Its programs stand still, some time after its life said "paused": nothing writes into its files any more. */
	onPaused?(projectId: string): void;
	log: Logger;
}

/** What containers must know of the projects around them. */
export interface ProjectsAround {
	find(projectId: string): DesiredPlacement | undefined;
	/** Runs work of a project when it is its turn. */
	inTurn<T>(projectId: string, work: () => Promise<T>): Promise<T>;
}

/** The containers of this node by project: starts and ends them and knows their lives. Callers take turns by project. */
export interface Containers {
	life(projectId: string): ContainerLife;
	/** The container while it runs. */
	running(projectId: string): RunningContainer | undefined;
	/** The container while it runs or is paused. */
	present(projectId: string): RunningContainer | undefined;
	/** Makes the project's volume if it is not there. @throws RepldockError `not_placed_here` when it is to go. */
	createVolume(placement: DesiredPlacement): Promise<void>;
	/**
	 * Harmless when it runs; wakes it when it is paused. When there is no room, the container that is paused for the
	 * longest time is put to rest.
	 * @throws RepldockError `no_node` when all the node's slots are in use, `limit_reached` when all its owner's are,
	 *   `container_failed`, `disk_full`.
	 */
	start(placement: DesiredPlacement): Promise<RunningContainer>;
	/** Lets its programs stand still; harmless unless it runs. @throws EngineError when the engine cannot, and it runs on. */
	pause(projectId: string): Promise<void>;
	/** Harmless when there is none. @throws EngineError when the engine refuses; a later call goes on from there. */
	stop(projectId: string): Promise<void>;
	/** Stops it for want of use: its memory is freed, and the next start finds it made. Throws as `stop` does. */
	rest(projectId: string): Promise<void>;
	/** Whether this is a stopped container that the project's next start may use. */
	rests(projectId: string, containerId: string): boolean;
	/** Removes a container, whoever's it was. */
	remove(projectId: string, containerId: string): Promise<void>;
	/** Takes over one that an earlier agent started, with its volume. @throws Error when it cannot have it; to be stopped. */
	adopt(status: ContainerStatus): Promise<void>;
	/** Whether this is the project's present container. */
	isPresent(projectId: string, containerId: string): boolean;
	/** Forgets the lives of projects that are not this node's any more. */
	keepOnly(isHere: (projectId: string) => boolean): void;
}

/** Time that a container's programs get between TERM and KILL when it is stopped. */
const stopTimeoutMs = 1_500;

export function createContainers(options: ContainersOptions, around: ProjectsAround): Containers {
	const { engine, volumes, network, log } = options;
	const lives = new Map<string, ContainerLife>();
	const paused = new Set<string>();
	const containers = new Map<string, RunningContainer>();
	const made = createMadeContainers(options);

	const life = (projectId: string) => lives.get(projectId) ?? stoppedLife;
	const running = (projectId: string) => (life(projectId).state === "running" ? containers.get(projectId) : undefined);
	const present = (projectId: string) =>
		life(projectId).state === "paused" ? containers.get(projectId) : running(projectId);

	function move(projectId: string, change: ContainerMove) {
		const next = moveContainer(life(projectId), change);
		lives.set(projectId, next);
		// Always at the end, so that the set is in the order of time.
		paused.delete(projectId);
		if (next.state === "paused") paused.add(projectId);
		options.onChange(projectId);
	}

	async function createVolume(placement: DesiredPlacement) {
		const { projectId, template, limits, want } = placement;
		// One that waited behind the removal must not bring an empty volume back, which nobody would ever remove.
		if (want === "purged") throw new RepldockError("not_placed_here", "This project is being removed for good.");
		if (want === "left") {
			// What people typed before it left is still to be written into its files.
			if (await volumes.exists(projectId)) return;
			throw new RepldockError("not_placed_here", "This project is on another server now. Reload the page to find it.");
		}
		await options.restoreVolume?.(placement);
		await volumes.create(projectId, join(options.templatesDirectory, template), limits.diskBytes);
	}

	const room = createRoom({
		slots: options.slots,
		lives,
		paused,
		find: around.find,
		giveUp: (projectId) => around.inTurn(projectId, () => giveUp(projectId)),
	});

	/** It may have been woken before it was its turn. */
	async function giveUp(projectId: string) {
		if (life(projectId).state !== "paused") return;
		log.info({ projectId }, "a paused container makes room for another");
		await rest(projectId);
	}

	async function pause(projectId: string) {
		const container = running(projectId);
		if (!container) return;
		move(projectId, { kind: "pause" });
		try {
			await engine.pauseContainer(container.containerId);
			options.onPaused?.(projectId);
		} catch (error) {
			// What stands still in part must not stay so.
			await engine
				.unpauseContainer(container.containerId)
				.catch((cause: unknown) => log.debug({ err: cause, projectId }, "there was nothing to unpause"));
			if (life(projectId).state === "paused") move(projectId, { kind: "resume" });
			throw error;
		}
	}

	async function resume(projectId: string, container: RunningContainer) {
		try {
			await engine.unpauseContainer(container.containerId);
		} catch (error) {
			// Somebody may have done it by hand; a container that is gone is cleared away by the news of its end.
			const status = await engine.inspectContainer(container.containerId);
			if (status?.state !== "running") throw error;
		}
		move(projectId, { kind: "resume" });
	}

	async function stop(projectId: string) {
		const container = containers.get(projectId);
		if (!container) {
			await made.discardResting(projectId);
			if (life(projectId).state === "failed") move(projectId, { kind: "gone" });
			return;
		}
		await end(projectId, container);
		await remove(projectId, container.containerId);
	}

	async function end(projectId: string, { containerId }: RunningContainer) {
		if (present(projectId)) move(projectId, { kind: "stop" });
		await network.ending(projectId);
		// The engine lets what is paused go on, so that it hears of its end.
		await engine.stopContainer(containerId, stopTimeoutMs);
	}

	async function rest(projectId: string) {
		const container = containers.get(projectId);
		if (!container || !made.mayRest(container.containerId)) return stop(projectId);
		await end(projectId, container);
		// Somebody may have removed it in the moment in which it stood still.
		if (containers.get(projectId) !== container) return;
		await network.detach(projectId);
		containers.delete(projectId);
		const kept = made.rest(projectId, container.containerId);
		move(projectId, { kind: "gone" });
		await kept;
	}

	async function remove(projectId: string, containerId: string) {
		await made.discard(projectId, containerId);
		if (containers.get(projectId)?.containerId !== containerId) return;
		await network.detach(projectId);
		containers.delete(projectId);
		move(projectId, { kind: "gone" });
	}

	return {
		life,
		running,
		present,
		createVolume,

		async start(placement) {
			const { projectId, generation } = placement;
			const here = present(projectId);
			if (here && life(projectId).state === "paused") await resume(projectId, here);
			if (here) return here;
			// A stop that failed half-way: what it left is cleared away first.
			if (containers.has(projectId)) await stop(projectId);
			const startedAtMs = performance.now();
			move(projectId, { kind: "start" });
			try {
				await room.require(placement);
				await createVolume(placement);
				const container = await made.start(placement);
				containers.set(projectId, container);
				move(projectId, { kind: "started", containerId: container.containerId });
				log.info({ projectId, generation, tookMs: performance.now() - startedAtMs }, "container runs");
				return container;
			} catch (error) {
				log.error({ err: error, projectId, generation }, "container could not be started");
				const problem = startProblem(error);
				// The project may have been taken from this node meanwhile; then nobody asks how it is.
				if (life(projectId).state === "starting") move(projectId, { kind: "failed", problem });
				throw new RepldockError(problem.code, problem.detail, { cause: error });
			}
		},

		pause,
		stop,
		rest,
		rests: made.rests,
		remove,

		async adopt(status) {
			containers.set(status.projectId, toRunning(status));
			move(status.projectId, { kind: "started", containerId: status.id });
			if (status.state === "paused") move(status.projectId, { kind: "pause" });
			await made.adopt(status);
			log.info({ projectId: status.projectId, generation: status.generation }, "container adopted");
		},

		isPresent: (projectId, containerId) => containers.get(projectId)?.containerId === containerId,

		keepOnly(isHere) {
			for (const projectId of lives.keys()) {
				if (!isHere(projectId) && !containers.has(projectId)) lives.delete(projectId);
			}
		},
	};
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
