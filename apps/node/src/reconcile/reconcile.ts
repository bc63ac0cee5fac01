import { type DesiredPlacement, isDeparting } from "@repldock/protocol";

/** A container of ours as the engine shows it. */
export interface ObservedContainer {
	id: string;
	projectId: string;
	generation: number;
	/** Also while it is paused. */
	running: boolean;
	paused: boolean;
	/** It was stopped for want of use and is kept for the project's next start. */
	rests: boolean;
}

/** What is true on this node. */
export interface ObservedNode {
	containers: readonly ObservedContainer[];
	/** Project ids that have a volume here. */
	volumes: ReadonlySet<string>;
	/** The `wantVersion` for which each project was last started or adopted here. */
	answeredWants: ReadonlyMap<string, number>;
}

/** One thing to do. Each may be repeated without harm. */
export type Step =
	| { kind: "removeContainer"; projectId: string; containerId: string; reason: string }
	| { kind: "start"; projectId: string }
	| { kind: "stop"; projectId: string }
	| { kind: "fork"; projectId: string }
	| { kind: "depart"; projectId: string };

/**
 * Says what brings this node to what the site wants. Pure: the same input gives the same steps, and when they are done
 * a second call gives none.
 *
 * A fork is made at once while its origin's volume is here, so that it is what the origin was when somebody forked it.
 * A container is started when the site's want is newer than the one last answered; a container that the node stopped
 * because nobody used it therefore stays stopped until somebody opens the project again. The same want wakes a paused one.
 */
export function reconcile(desired: ReadonlyMap<string, DesiredPlacement>, observed: ObservedNode): Step[] {
	const steps: Step[] = [];
	const kept = new Map<string, ObservedContainer>();

	// Those that run first: one that rests beside them is the one too many.
	for (const container of observed.containers.toSorted((one, other) => Number(other.running) - Number(one.running))) {
		const placement = desired.get(container.projectId);
		const reason = reasonToRemove(container, placement, kept.has(container.projectId));
		if (reason) {
			steps.push({ kind: "removeContainer", projectId: container.projectId, containerId: container.id, reason });
		} else {
			kept.set(container.projectId, container);
		}
	}

	for (const placement of desired.values()) {
		const { projectId, copyOf } = placement;
		const container = kept.get(projectId);
		if (isDeparting(placement)) {
			if (container || observed.volumes.has(projectId)) steps.push({ kind: "depart", projectId });
			continue;
		}
		const { volumes } = observed;
		if (copyOf !== undefined && volumes.has(copyOf) && !volumes.has(projectId)) steps.push({ kind: "fork", projectId });
		if (placement.want === "stopped") {
			if (container) steps.push({ kind: "stop", projectId });
		} else if (
			(!container?.running || container.paused) &&
			(observed.answeredWants.get(projectId) ?? -1) < placement.wantVersion
		) {
			steps.push({ kind: "start", projectId });
		}
	}
	return steps;
}

function reasonToRemove(
	container: ObservedContainer,
	placement: DesiredPlacement | undefined,
	second: boolean,
): string | undefined {
	if (!placement) return "the project is not placed here";
	if (container.generation !== placement.generation) return "it belongs to another generation";
	if (second) return "the project has another container";
	if (!container.running && !container.rests) return "it does not run any more";
	return undefined;
}
