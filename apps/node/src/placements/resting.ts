import type { ContainerSpecification } from "../host.ts";

/** A stopped container that a wake only has to start. */
export interface RestingContainer {
	containerId: string;
	/** What it was made of: one that would be made otherwise now is of no use. */
	specification: ContainerSpecification;
}

/** Containers that were stopped for want of use, by project; those that rest the longest make room. */
export interface Resting {
	find(projectId: string): RestingContainer | undefined;
	/** Whether this very container rests. */
	has(projectId: string, containerId: string): boolean;
	/** @returns the one that gave way, which is to be removed. */
	add(container: RestingContainer): RestingContainer | undefined;
	/** Harmless when another one rests, or none. */
	forget(projectId: string, containerId: string): void;
}

export function createResting(most: number): Resting {
	/** In the order in which they came to rest. */
	const resting = new Map<string, RestingContainer>();
	const has = (projectId: string, containerId: string) => resting.get(projectId)?.containerId === containerId;

	return {
		find: (projectId) => resting.get(projectId),
		has,
		add(container) {
			resting.set(container.specification.projectId, container);
			const [oldest] = resting.values();
			if (resting.size <= most || !oldest) return undefined;
			resting.delete(oldest.specification.projectId);
			return oldest;
		},
		forget(projectId, containerId) {
			if (has(projectId, containerId)) resting.delete(projectId);
		},
	};
}

/** Whether a container that was made of the one is as good as a new one of the other. */
export function isSameSpecification(one: ContainerSpecification, other: ContainerSpecification): boolean {
	return JSON.stringify(one) === JSON.stringify(other);
}
