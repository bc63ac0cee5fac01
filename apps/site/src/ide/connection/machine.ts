import type { Problem } from "@repldock/protocol";

/**
 * The life of the page's connection to its node, as a state table. Pure: the driver in `events-socket.ts` looks at
 * the state it gets and acts (`connecting` → dial, `waiting` → start a timer).
 */
export type ConnectionState =
	/** A dial is under way. `attempt` counts failures since the last success. */
	| { kind: "connecting"; attempt: number }
	| { kind: "connected" }
	/** The last dial or connection failed; the next dial is due in `delayMs`. */
	| { kind: "waiting"; attempt: number; delayMs: number; problem: Problem | null }
	/** Dialling again cannot help; the person has to do something (sign in, ask for rights). */
	| { kind: "refused"; problem: Problem }
	| { kind: "closed" };

export type ConnectionEvent =
	| { type: "opened" }
	/** The dial failed or the connection broke. `random` in [0, 1) spreads the clients of a node that restarts. */
	| { type: "lost"; random: number; problem: Problem | null }
	| { type: "refused"; problem: Problem }
	/** The wait is over. */
	| { type: "timerFired" }
	/** The network came back, the page became visible, or the person pressed "Reconnect". */
	| { type: "wake" }
	| { type: "close" };

export const initialConnection: ConnectionState = { kind: "connecting", attempt: 0 };

const firstDelayMs = 250;
const longestDelayMs = 15_000;

/** Milliseconds before dial number `attempt` (from 1): doubles up to a limit, of which a random half is taken off. */
export function reconnectDelayMs(attempt: number, random: number): number {
	const full = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(attempt - 1, 16));
	return Math.round(full * (0.5 + random / 2));
}

/** The state after an event. Events that make no sense in a state (a late timer) leave it as it is. */
export function nextConnection(state: ConnectionState, event: ConnectionEvent): ConnectionState {
	if (state.kind === "closed") return state;
	switch (event.type) {
		case "close":
			return { kind: "closed" };
		case "opened":
			return state.kind === "connecting" ? { kind: "connected" } : state;
		case "refused":
			return { kind: "refused", problem: event.problem };
		case "lost": {
			if (state.kind !== "connecting" && state.kind !== "connected") return state;
			const attempt = state.kind === "connecting" ? state.attempt + 1 : 1;
			const delayMs = reconnectDelayMs(attempt, event.random);
			return { kind: "waiting", attempt, delayMs, problem: event.problem };
		}
		case "timerFired":
			return state.kind === "waiting" ? { kind: "connecting", attempt: state.attempt } : state;
		case "wake":
			if (state.kind === "waiting") return { kind: "connecting", attempt: state.attempt };
			return state.kind === "refused" ? { kind: "connecting", attempt: 0 } : state;
	}
}
