import type { ContainerState, Problem, ProjectState } from "@repldock/protocol";
import { heartbeatEveryMs } from "@repldock/protocol";

/** A node is lost when it missed three heartbeats. */
export const nodeLostAfterMs = 3 * heartbeatEveryMs;

export interface NodeLoad {
	readonly id: string;
	readonly slots: number;
	/** Containers that run there or are about to. */
	readonly running: number;
	/** All projects that live there. */
	readonly placed: number;
}

/**
 * The node that a new project goes to: the one with the smallest share of its slots in use, then the one with the
 * fewest projects for its size.
 * @returns null when there is none to choose from.
 */
export function chooseNode<Node extends NodeLoad>(nodes: readonly Node[]): Node | null {
	const byLoad = [...nodes].sort(
		(one, other) =>
			one.running / one.slots - other.running / other.slots ||
			one.placed / one.slots - other.placed / other.slots ||
			(one.id < other.id ? -1 : 1),
	);
	return byLoad[0] ?? null;
}

/** Whether one more container could start there now. */
export function hasRoom(node: NodeLoad): boolean {
	return node.running < node.slots;
}

export interface PlacementView {
	readonly want: "running" | "stopped" | "purged";
	readonly wantVersion: number;
	readonly observedState: ContainerState | null;
	readonly observedWantVersion: number | null;
	readonly observedProblem: Problem | null;
	readonly nodeIsLive: boolean;
}

/** What a person is shown of a placement: the last report, and what is known to be on its way. */
export function shownState(placement: PlacementView | null): { state: ProjectState; problem: Problem | null } {
	if (!placement) return { state: "stopped", problem: null };
	const observed = placement.observedState ?? "stopped";
	if (!placement.nodeIsLive) {
		const problem: Problem = {
			code: "node_unreachable",
			status: 503,
			detail: "The server that holds this project does not answer. Its files are kept; try again in a minute.",
		};
		const wasInUse = placement.want === "running" && observed !== "stopped";
		return wasInUse ? { state: "failed", problem } : { state: "stopped", problem };
	}
	if (placement.observedWantVersion === placement.wantVersion) {
		return { state: reportedState(placement.want, observed), problem: placement.observedProblem };
	}
	if (placement.want === "running") return { state: observed === "running" ? "running" : "starting", problem: null };
	return { state: observed === "stopped" || observed === "failed" ? "stopped" : "stopping", problem: null };
}

/** What is wanted running and does not run sleeps: its node starts it for the next visitor. */
function reportedState(want: PlacementView["want"], observed: ContainerState): ProjectState {
	if (observed === "paused") return "asleep";
	return observed === "stopped" && want === "running" ? "asleep" : observed;
}
