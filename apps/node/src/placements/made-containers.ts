import type { DesiredPlacement } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { ContainerSpecification, ContainerStatus, Engine, Homes } from "../host.ts";
import type { Volumes } from "../host-storage.ts";
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
	 * Starts the project's resting container when it is as good as a new one, else a new one, connects it and gives it its
	 * volume.
	 * @throws EngineError, or what `attach` of the network or `fill` of the home throws; then it does not run.
	 */
	start(placement: DesiredPlacement): Promise<RunningContainer>;
	/** Sees to it that a container which an earlier agent started has its volume. @throws Error when it has not. */
	adopt(status: ContainerStatus): Promise<void>;
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
	homes: Homes;
	image: string;
	network: {
		attach(container: RunningContainer, placement: DesiredPlacement): Promise<void>;
		detach(projectId: string): Promise<void>;
	};
	log: Logger;
}): MadeContainers {
	const { engine, volumes, homes, image, network, log } = options;
	/** What each container that this agent made was made of, by its id. */
	const made = new Map<string, ContainerSpecification>();
	/** Homes by their containers, also of those that this agent took over. */
	const homeNames = new Map<string, string>();
	const resting = createResting(mostResting);

	function specify({ projectId, generation, slug, limits }: DesiredPlacement): ContainerSpecification {
		return { projectId, generation, slug, image, environment: {}, limits };
	}

	async function startNew(placement: DesiredPlacement): Promise<RunningContainer> {
		const specification = specify(placement);
		const home = await homes.make();
		const { id } = await engine.createContainer(specification, home).catch(async (error: unknown) => {
			await homes.remove(home.name);
			throw error;
		});
		made.set(id, specification);
		homeNames.set(id, home.name);
		return startMade(placement, id);
	}

	/** Nothing of the project runs yet. What cannot be limited, or has no volume, does not come to run. */
	async function connect(placement: DesiredPlacement, status: ContainerStatus): Promise<void> {
		// Both are waited for, so that neither still works on what is undone.
		const [attached, filled] = await Promise.allSettled([network.attach(toRunning(status), placement), fill(status)]);
		if (attached.status === "rejected") throw attached.reason;
		if (filled.status === "fulfilled") return;
		await network.detach(placement.projectId);
		throw filled.reason;
	}

	async function fill({ id, projectId, slug, pid, home }: ContainerStatus): Promise<void> {
		if (home === null) throw new Error(`Container ${id} has no home for a volume.`);
		await homes.fill(home, { slug, volumePath: volumes.path(projectId), pid });
	}

	/** If the engine refuses to remove what failed to start, the next reconciliation removes it. */
	async function startMade(placement: DesiredPlacement, id: string): Promise<RunningContainer> {
		const { projectId } = placement;
		try {
			const running = toRunning(await engine.startContainer(id, (status) => connect(placement, status)));
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
		const home = homeNames.get(containerId) ?? (await engine.inspectContainer(containerId))?.home;
		await engine.removeContainer(containerId);
		homeNames.delete(containerId);
		// Nobody sees what is left of it, and the next agent removes it.
		if (home)
			await homes.remove(home).catch((error: unknown) => log.error({ err: error, projectId }, "a home was kept"));
	}

	return {
		start: async (placement) => (await startResting(placement)) ?? (await startNew(placement)),

		async adopt(status) {
			if (status.home !== null) homeNames.set(status.id, status.home);
			await fill(status);
		},

		mayRest: (containerId) => made.has(containerId),

		async rest(projectId, containerId) {
			const specification = made.get(containerId);
			// At once: a look at the node removes a stopped container that does not rest.
			const oldest = specification && resting.add({ containerId, specification });
			const home = homeNames.get(containerId);
			if (home !== undefined) await homes.empty(home);
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
