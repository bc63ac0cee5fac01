import { expect, test } from "vitest";
import {
	type ConnectionState,
	initialConnection,
	nextConnection,
	reconnectDelayMs,
} from "../../src/ide/connection/machine.ts";

const problem = { code: "not_allowed", status: 403, detail: "Ask the owner to share the project." } as const;
const lost = { type: "lost", random: 0, problem: null } as const;

test("each failed dial is waited for longer, up to a limit, and a success starts anew", () => {
	let state: ConnectionState = initialConnection;
	const delays: number[] = [];
	for (let dial = 0; dial < 12; dial++) {
		state = nextConnection(state, lost);
		if (state.kind === "waiting") delays.push(state.delayMs);
		state = nextConnection(state, { type: "timerFired" });
	}
	expect(delays).toHaveLength(12);
	expect(delays).toEqual([...delays].sort((a, b) => a - b));
	expect(delays.at(-1)).toBe(7_500);

	state = nextConnection(nextConnection(state, { type: "opened" }), lost);
	expect(state).toMatchObject({ kind: "waiting", attempt: 1, delayMs: 125 });
});

test("the wait is spread over half of its length", () => {
	expect(reconnectDelayMs(1, 0)).toBe(125);
	expect(reconnectDelayMs(1, 0.999)).toBe(250);
	expect(reconnectDelayMs(1_000, 0.999)).toBeLessThanOrEqual(15_000);
});

test("the network's return dials at once", () => {
	const waiting = nextConnection(initialConnection, lost);
	expect(nextConnection(waiting, { type: "wake" })).toEqual({ kind: "connecting", attempt: 1 });
});

test("a wake while connected or connecting changes nothing", () => {
	const connected: ConnectionState = { kind: "connected" };
	expect(nextConnection(connected, { type: "wake" })).toBe(connected);
	expect(nextConnection(initialConnection, { type: "wake" })).toBe(initialConnection);
});

test("a refusal is not dialled again until the person asks for it", () => {
	const refused = nextConnection(initialConnection, { type: "refused", problem });
	expect(nextConnection(refused, { type: "timerFired" })).toBe(refused);
	expect(nextConnection(refused, lost)).toBe(refused);
	expect(nextConnection(refused, { type: "wake" })).toEqual({ kind: "connecting", attempt: 0 });
});

test("a closed connection stays closed, whatever comes late", () => {
	const closed = nextConnection({ kind: "connected" }, { type: "close" });
	for (const event of [lost, { type: "opened" }, { type: "timerFired" }, { type: "wake" }] as const) {
		expect(nextConnection(closed, event)).toBe(closed);
	}
});
