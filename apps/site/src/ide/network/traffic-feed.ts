import type { TrafficDetails, TrafficSample, WorkspaceCommand, WorkspaceEvent } from "@repldock/protocol";
import { createStore, type Store } from "../store.ts";

/** What the page shows of the project's traffic. */
export type TrafficShown = {
	/** Oldest first. */
	samples: readonly TrafficSample[];
	floorBitsPerSecond: number;
	ceilingBitsPerSecond: number;
	details: TrafficDetails;
	/** False until the node sent the first ones. */
	loaded: boolean;
};

export type TrafficFeed = {
	state: Pick<Store<TrafficShown>, "get" | "subscribe">;
	/** Asks for samples as long as somebody looks. @returns what ends it. */
	follow(): () => void;
	/** A connection was made: the node knows nothing of what was asked before. */
	connected(): void;
	event(event: Extract<WorkspaceEvent, { type: "traffic" }>): void;
};

/** What the graph shows at most. */
export const graphMs = 5 * 60_000;

export function createTrafficFeed(command: (command: WorkspaceCommand) => void): TrafficFeed {
	const state = createStore<TrafficShown>({
		samples: [],
		floorBitsPerSecond: 0,
		ceilingBitsPerSecond: 0,
		details: { destinations: [], refused: [] },
		loaded: false,
	});
	let followers = 0;

	return {
		state,

		follow() {
			followers += 1;
			if (followers === 1) command({ type: "followTraffic", follow: true });
			let ended = false;
			return () => {
				if (ended) return;
				ended = true;
				followers -= 1;
				if (followers === 0) command({ type: "followTraffic", follow: false });
			};
		},

		connected() {
			if (followers > 0) command({ type: "followTraffic", follow: true });
		},

		event({ reset, samples, floorBitsPerSecond, ceilingBitsPerSecond, details }) {
			const before = state.get();
			const all = reset ? samples : [...before.samples, ...samples];
			const since = (all.at(-1)?.atMs ?? 0) - graphMs;
			state.set({
				samples: all.filter(({ atMs }) => atMs >= since),
				floorBitsPerSecond,
				ceilingBitsPerSecond,
				details: details ?? before.details,
				loaded: true,
			});
		},
	};
}
