import type { DesiredPlacement } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { ContainerSpecification, ContainerStatus, Engine, Volumes } from "../host.ts";
import { createResting, isSameSpecification } from "./resting.ts";

export interface RunningContainer {
	containerId: string;
	/** Host process id of the container's first process. */
	pid: number;
	/** IPv4 address on the node's bridge. */
	address: string;
	/** MAC address of its end of its cable. */
	hardwareAddress: string;
	/** The slug it was started with; the project may have been renamed since. */
	slug: string;
}

/** Containers as the engine has them: makes and starts them, and keeps some that were stopped for the next start. */
export interface MadeContainers {
	/**
	 * Starts the project's resting container when it is as good as a new one, else a new one, and connects it.
	 * @throws EngineError, or what `attach` of the network throws; then it does not run.
	 */
	start(placement: DesiredPlacement): Promise<RunningContainer>;
	/** Whether a container may rest: one that an earlier agent made may be of another image. */
	mayRest(containerId: string): boolean;
	/** Keeps a stopped container for the project's next start. */
	rest(projectId: string, containerId: string): Promise<void>;
	rests(projectId: string, containerId: string): boolean;
	/** Removes a container, whoever's it was. @throws EngineError. */
	discard(projectId: string, containerId: string): Promise<void>;
	/** Removes the project's resting container; harmless when there is none. @throws EngineError. */
	discardResting(projectId: string): Promise<void>;
}

/** Each is a few files of the engine, and looked at whenever all containers are. */
const mostResting = 100;

export function createMadeContainers(options: {
	engine: Engine;
	volumes: Volumes;
	image: string;
	network: { attach(container: RunningContainer, placement: DesiredPlacement): Promise<void> };
	log: Logger;
}): MadeContainers {
	const { engine, volumes, image, network, log } = options;
	/** What each container that this agent made was made of, by its id. */
	const made = new Map<string, ContainerSpecification>();
	const resting = createResting(mostResting);

	function specify({ projectId, generation, slug, limits }: DesiredPlacement): ContainerSpecification {
		return { projectId, generation, slug, image, volumePath: volumes.path(projectId), environment: {}, limits };
	}

	async function startNew(placement: DesiredPlacement): Promise<RunningContainer> {
		const specification = specify(placement);
		const { id } = await engine.createContainer(specification);
		made.set(id, specification);
		return startMade(placement, id);
	}

	/** If the engine refuses to remove what failed to start, the next reconciliation removes it. */
	async function startMade(placement: DesiredPlacement, id: string): Promise<RunningContainer> {
		const { projectId } = placement;
		try {
			// Nothing of the project runs yet. What cannot be limited does not come to run.
			const attach = (status: ContainerStatus) => network.attach(toRunning(status), placement);
			const running = toRunning(await engine.startContainer(id, attach));
			resting.forget(projectId, id);
			return running;
		} catch (error) {
			await discard(projectId, id).catch((cause: unknown) =>
				log.error({ err: cause, projectId }, "container was kept"),
			);
			throw error;
		}
	}

	/** @returns undefined when the project has no resting container that can be started in place of a new one. */
	async function startResting(placement: DesiredPlacement): Promise<RunningContainer | undefined> {
		const { projectId } = placement;
		const rested = resting.find(projectId);
		if (!rested) return undefined;
		if (!isSameSpecification(rested.specification, specify(placement))) {
			await discard(projectId, rested.containerId);
			return undefined;
		}
		try {
			return await startMade(placement, rested.containerId);
		} catch (error) {
			log.warn({ err: error, projectId }, "a resting container could not be started; a new one is made");
			return undefined;
		}
	}

	async function discard(projectId: string, containerId: string) {
		// Whatever comes of it: nobody starts it again, and a look at the node removes what is left.
		resting.forget(projectId, containerId);
		made.delete(containerId);
		await engine.removeContainer(containerId);
	}

	return {
		start: async (placement) => (await startResting(placement)) ?? (await startNew(placement)),

		mayRest: (containerId) => made.has(containerId),

		async rest(projectId, containerId) {
			const specification = made.get(containerId);
			const oldest = specification && resting.add({ containerId, specification });
			if (!oldest) return;
			await discard(oldest.specification.projectId, oldest.containerId).catch((error: unknown) =>
				log.error({ err: error, projectId }, "a resting container was kept"),
			);
		},

		rests: resting.has,
		discard,

		async discardResting(projectId) {
			const rested = resting.find(projectId);
			if (rested) await discard(projectId, rested.containerId);
		},
	};
}

/** @throws Error when the container does not run. */
export function toRunning(status: ContainerStatus | null): RunningContainer {
	if (!status?.address || !status.hardwareAddress || status.pid === 0)
		throw new Error("the container ended right after its start");
	const { id, pid, address, hardwareAddress, slug } = status;
	return { containerId: id, pid, address, hardwareAddress, slug };
}
