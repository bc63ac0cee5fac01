import { join } from "node:path";
import { type DesiredPlacement, type Problem, RepldockError, toProblem } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { ContainerStatus, Engine, Volumes } from "../host.ts";
import { type ContainerLife, type ContainerMove, moveContainer, stoppedLife } from "./container-life.ts";

export interface RunningContainer {
	containerId: string;
	/** Host process id of the container's first process. */
	pid: number;
	/** IPv4 address on the node's bridge. */
	address: string;
	/** The slug it was started with; the project may have been renamed since. */
	slug: string;
}

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
	image: string;
	templatesDirectory: string;
	/** Most containers at a time. */
	slots: number;
	network: NetworkOfContainers;
	/** A container's life took a step. */
	onChange(projectId: string): void;
	log: Logger;
}

/** The containers of this node by project: starts and ends them and knows their lives. Callers take turns by project. */
export interface Containers {
	life(projectId: string): ContainerLife;
	/** The container while it runs. */
	running(projectId: string): RunningContainer | undefined;
	/** The container while it runs or is paused. */
	present(projectId: string): RunningContainer | undefined;
	/** Makes the project's volume if it is not there. @throws RepldockError `not_placed_here` when it is being purged. */
	createVolume(placement: DesiredPlacement): Promise<void>;
	/** Harmless when it runs; wakes it when it is paused. @throws RepldockError `no_node` when the node is full, `container_failed`, `disk_full`. */
	start(placement: DesiredPlacement): Promise<RunningContainer>;
	/** Lets its programs stand still; harmless unless it runs. @throws EngineError when the engine cannot, and it runs on. */
	pause(projectId: string): Promise<void>;
	/** Harmless when there is none. @throws EngineError when the engine refuses; a later call goes on from there. */
	stop(projectId: string): Promise<void>;
	/** Removes a container, whoever's it was. */
	remove(projectId: string, containerId: string): Promise<void>;
	/** Takes over one that an earlier agent started. */
	adopt(status: ContainerStatus): void;
	/** Whether this is the project's present container. */
	isPresent(projectId: string, containerId: string): boolean;
	/** Forgets the lives of projects that are not this node's any more. */
	keepOnly(isHere: (projectId: string) => boolean): void;
}

/** Time that a container's programs get between TERM and KILL when it is stopped. */
const stopTimeoutMs = 1_500;

export function createContainers(options: ContainersOptions): Containers {
	const { engine, volumes, network, log } = options;
	const lives = new Map<string, ContainerLife>();
	const containers = new Map<string, RunningContainer>();

	const life = (projectId: string) => lives.get(projectId) ?? stoppedLife;
	const running = (projectId: string) => (life(projectId).state === "running" ? containers.get(projectId) : undefined);
	const present = (projectId: string) =>
		life(projectId).state === "paused" ? containers.get(projectId) : running(projectId);

	function move(projectId: string, change: ContainerMove) {
		lives.set(projectId, moveContainer(life(projectId), change));
		options.onChange(projectId);
	}

	async function createVolume({ projectId, template, limits, want }: DesiredPlacement) {
		// One that waited behind the removal must not bring an empty volume back, which nobody would ever remove.
		if (want === "purged") throw new RepldockError("not_placed_here", "This project is being removed for good.");
		await volumes.create(projectId, join(options.templatesDirectory, template), limits.diskBytes);
	}

	/** Starts that are under way have their slot already. */
	function requireFreeSlot(projectId: string) {
		const others = [...lives].filter(
			([id, { state }]) => id !== projectId && state !== "stopped" && state !== "failed",
		);
		if (others.length < options.slots) return;
		throw new RepldockError("no_node", "This server is full now. Stop another project, or try again in a while.");
	}

	/** If the engine refuses to remove what failed to start, the next reconciliation removes it. */
	async function startNew(placement: DesiredPlacement): Promise<RunningContainer> {
		const { projectId, generation, slug, limits } = placement;
		const { id } = await engine.createContainer({
			projectId,
			generation,
			slug,
			image: options.image,
			volumePath: volumes.path(projectId),
			environment: {},
			limits,
		});
		try {
			await engine.startContainer(id);
			const container = toRunning(await engine.inspectContainer(id));
			// Nothing of the project runs yet. What cannot be limited does not come to run.
			await network.attach(container, placement);
			return container;
		} catch (error) {
			await engine
				.removeContainer(id)
				.catch((cause: unknown) => log.error({ err: cause, projectId }, "container was kept"));
			throw error;
		}
	}

	async function pause(projectId: string) {
		const container = running(projectId);
		if (!container) return;
		move(projectId, { kind: "pause" });
		try {
			await engine.pauseContainer(container.containerId);
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
			if (life(projectId).state === "failed") move(projectId, { kind: "gone" });
			return;
		}
		if (present(projectId)) move(projectId, { kind: "stop" });
		await network.ending(projectId);
		// The engine lets what is paused go on, so that it hears of its end.
		await engine.stopContainer(container.containerId, stopTimeoutMs);
		await remove(projectId, container.containerId);
	}

	async function remove(projectId: string, containerId: string) {
		await engine.removeContainer(containerId);
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
				requireFreeSlot(projectId);
				await createVolume(placement);
				const container = await startNew(placement);
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
		remove,

		adopt(status) {
			containers.set(status.projectId, toRunning(status));
			move(status.projectId, { kind: "started", containerId: status.id });
			if (status.state === "paused") move(status.projectId, { kind: "pause" });
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
