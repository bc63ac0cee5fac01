import type { ContainerState, Problem } from "@repldock/protocol";

/**
 * A container's life. Legal moves only:
 *
 *   stopped ──start──▶ starting ──started──▶ running ──stop──▶ stopping ──gone──▶ stopped
 *                         │                  │ ▲  │               ▲                 ▲
 *                         │             pause│ │  └──gone (it died by itself)───────┤
 *                         │                  ▼ │resume            │                 │
 *                         │                 paused ──stop─────────┘  (or gone) ─────┘
 *                         └──failed──▶ failed ──start──▶ starting
 *
 * `pause` is taken before the engine is asked, so that nobody starts a program in a container that is about to stand
 * still; `resume` after the engine has done it.
 */
export interface ContainerLife {
	readonly state: ContainerState;
	readonly containerId: string | null;
	readonly problem: Problem | null;
}

export type ContainerMove =
	| { kind: "start" }
	| { kind: "started"; containerId: string }
	| { kind: "failed"; problem: Problem }
	| { kind: "pause" }
	| { kind: "resume" }
	| { kind: "stop" }
	| { kind: "gone" };

const legal: Record<ContainerState, readonly ContainerMove["kind"][]> = {
	stopped: ["start", "started", "gone"],
	starting: ["started", "failed", "gone"],
	running: ["pause", "stop", "gone"],
	paused: ["resume", "stop", "gone"],
	stopping: ["gone"],
	failed: ["start", "gone"],
};

export const stoppedLife: ContainerLife = { state: "stopped", containerId: null, problem: null };

/** @throws Error when the move is not legal: that is a fault of the agent, not of its surroundings. */
export function moveContainer(life: ContainerLife, move: ContainerMove): ContainerLife {
	if (!legal[life.state].includes(move.kind)) {
		throw new Error(`A container that is ${life.state} cannot take the move "${move.kind}".`);
	}
	switch (move.kind) {
		case "start":
			return { state: "starting", containerId: null, problem: null };
		case "started":
			return { state: "running", containerId: move.containerId, problem: null };
		case "failed":
			return { state: "failed", containerId: null, problem: move.problem };
		case "pause":
			return { ...life, state: "paused" };
		case "resume":
			return { ...life, state: "running" };
		case "stop":
			return { ...life, state: "stopping" };
		case "gone":
			return stoppedLife;
	}
}
