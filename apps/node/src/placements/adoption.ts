import type { DesiredPlacement } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { ContainerStatus } from "../host.ts";
import type { Containers, NetworkOfContainers } from "./containers.ts";
import type { Queues } from "./queues.ts";

export interface AdoptionParts {
	desired: ReadonlyMap<string, DesiredPlacement>;
	queues: Queues;
	containers: Pick<Containers, "adopt" | "present" | "stop">;
	network: Pick<NetworkOfContainers, "adopt">;
	log: Logger;
}

export const isAlive = ({ state }: ContainerStatus) => state === "running" || state === "paused";

/** Takes over the containers of an earlier agent; those that cannot have a volume, or whose traffic nothing limits, are ended. */
export async function adoptContainers(parts: AdoptionParts, listed: readonly ContainerStatus[]): Promise<void> {
	const { desired, queues, containers, network, log } = parts;
	const end = (projectId: string) => queues.run(projectId, () => containers.stop(projectId));

	async function adopt(container: ContainerStatus): Promise<void> {
		const { projectId, generation } = container;
		if (!isAlive(container) || generation !== desired.get(projectId)?.generation) return;
		try {
			await containers.adopt(container);
		} catch (error) {
			log.error({ err: error, projectId }, "a container has no volume");
			await end(projectId);
		}
	}

	await Promise.all(listed.map(adopt));
	const adopted = [...desired.values()].flatMap((placement) => {
		const container = containers.present(placement.projectId);
		return container ? [{ container, placement }] : [];
	});
	for (const projectId of await network.adopt(adopted)) await end(projectId);
}
