import { type DesiredPlacement, RepldockError } from "@repldock/protocol";
import type { ContainerStatus } from "../host.ts";
import type { Containers, RunningContainer } from "./containers.ts";
import type { Queues } from "./queues.ts";

export interface StartParts {
	find(projectId: string): DesiredPlacement | undefined;
	queues: Queues;
	containers: Pick<Containers, "running" | "isPresent" | "start" | "stop">;
	/** This version of what is wanted is answered, whether the start works or not. */
	answered(projectId: string, wantVersion: number): void;
	/** A start ended, be it well or not. */
	onEnd(isWell: boolean): void;
}

/** Starts of containers: one a project at a time, however many ask for it. */
export interface Starts {
	/** @throws RepldockError `not_placed_here`, `not_running`, `node_unreachable`, `container_failed`, `disk_full`. */
	ensureRunning(projectId: string): Promise<RunningContainer>;
	/** The node is about to be looked at; see `isStarting`. */
	beginLook(): void;
	/**
	 * What did not run when the engine was asked may run by the time that it has told of all others: a start that is
	 * under way, or was in between, has changed it.
	 */
	isStarting(container: ContainerStatus): boolean;
	isUnderWay(projectId: string): boolean;
	/** Settles when no start of it is under way. */
	settled(projectId: string): Promise<void>;
	/** The node goes down: none is begun from now on, and what comes of those under way is ended. */
	end(): void;
}

export function createStarts({ find, queues, containers, answered, onEnd }: StartParts): Starts {
	const underWay = new Map<string, Promise<RunningContainer>>();
	/** Projects of which a start was under way at any moment since the node was last looked at. */
	let meanwhile = new Set<string>();
	let hasEnded = false;

	async function start(projectId: string): Promise<RunningContainer> {
		if (hasEnded) throw goingDown();
		const placement = placed(find(projectId));
		if (placement.want !== "running") {
			throw new RepldockError("not_running", "This project is stopped. Open it again to start it.");
		}
		// Answered whether it works or not: a start that fails is tried again when a person asks, not for ever.
		answered(projectId, placement.wantVersion);
		const container = await containers.start(placement);
		// What the site wants may have changed while it started, unseen by a look at the node in that moment.
		const current = find(projectId);
		if (!hasEnded && current?.want === "running" && current.generation === placement.generation) return container;
		await containers.stop(projectId);
		throw new RepldockError("not_running", "This project was stopped in this moment. Open it again to start it.");
	}

	async function startInTurn(projectId: string): Promise<RunningContainer> {
		let isWell = false;
		try {
			const container = await queues.run(projectId, () => start(projectId));
			isWell = true;
			return container;
		} finally {
			underWay.delete(projectId);
			onEnd(isWell);
		}
	}

	return {
		ensureRunning(projectId) {
			const running = containers.running(projectId);
			if (running) return Promise.resolve(running);
			if (hasEnded) return Promise.reject(goingDown());
			const present = underWay.get(projectId);
			if (present) return present;
			const begun = startInTurn(projectId);
			underWay.set(projectId, begun);
			meanwhile.add(projectId);
			return begun;
		},

		beginLook() {
			meanwhile = new Set(underWay.keys());
		},

		isStarting({ projectId, id, state }) {
			if (underWay.has(projectId)) return true;
			return meanwhile.has(projectId) && (state === "created" || containers.isPresent(projectId, id));
		},

		isUnderWay: (projectId) => underWay.has(projectId),

		async settled(projectId) {
			await underWay.get(projectId)?.catch(() => undefined);
		},

		end() {
			hasEnded = true;
		},
	};
}

/** @throws RepldockError `not_placed_here` for what is not on this node. */
export function placed(placement: DesiredPlacement | undefined): DesiredPlacement {
	if (placement) return placement;
	throw new RepldockError("not_placed_here", "This project is not on this server. Reload the page to find it.");
}

function goingDown(): RepldockError {
	return new RepldockError("node_unreachable", "This server is going down. Open the project again when it is back.");
}
