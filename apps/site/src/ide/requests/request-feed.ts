import type { AppRequest, WorkspaceCommand, WorkspaceEvent } from "@repldock/protocol";
import { createStore, type Store } from "../store.ts";

/** What the page shows of visitors' requests. */
export type RequestsShown = {
	/** Newest first. */
	requests: readonly AppRequest[];
	/** Requests that came while this was watched and are not among them. */
	more: number;
	/** Requests that came during a pause. */
	waiting: number;
	paused: boolean;
	/** False until the node sent the first ones. */
	loaded: boolean;
};

export type RequestFeed = {
	state: Pick<Store<RequestsShown>, "get" | "subscribe">;
	/** Asks for requests as long as somebody looks. @returns what ends it. */
	follow(): () => void;
	pause(paused: boolean): void;
	/** Takes what is shown away; requests from now on appear. */
	clear(): void;
	/** A connection was made: the node knows nothing of what was asked before. */
	connected(): void;
	event(event: Extract<WorkspaceEvent, { type: "requests" }>): void;
};

/** Rows that the page keeps. */
export const requestsMost = 1_000;

/** The rows with what the event says of WebSockets among them. The first ones after a new connection name all that are open. */
function settled(rows: readonly AppRequest[], event: { requests: AppRequest[]; reset: boolean }): AppRequest[] {
	if (!rows.some(({ open }) => open)) return [...rows];
	const told = new Map(event.requests.map((request) => [request.id, request]));
	return rows.flatMap((row) => (row.open ? (told.get(row.id) ?? (event.reset ? [] : row)) : row));
}

export function createRequestFeed(command: (command: WorkspaceCommand) => void): RequestFeed {
	const state = createStore<RequestsShown>({ requests: [], more: 0, waiting: 0, paused: false, loaded: false });
	let followers = 0;
	/** Newest first; put in front when the pause ends. */
	let held: AppRequest[] = [];
	let heldMore = 0;
	/** Requests up to this one were cleared away. */
	let clearedId = 0;

	const change = (values: Partial<RequestsShown>) => state.set({ ...state.get(), ...values });
	const merge = (newer: readonly AppRequest[], older: readonly AppRequest[]) =>
		[...newer, ...older].slice(0, requestsMost);

	return {
		state,

		follow() {
			followers += 1;
			if (followers === 1) command({ type: "followRequests", follow: true });
			let ended = false;
			return () => {
				if (ended) return;
				ended = true;
				followers -= 1;
				if (followers === 0) command({ type: "followRequests", follow: false });
			};
		},

		pause(paused) {
			if (paused === state.get().paused) return;
			const { requests, more } = state.get();
			change({ paused, waiting: 0, requests: merge(held, requests), more: more + heldMore });
			held = [];
			heldMore = 0;
		},

		clear() {
			const newest = held[0] ?? state.get().requests[0];
			if (newest) clearedId = newest.id;
			held = [];
			heldMore = 0;
			change({ requests: [], more: 0, waiting: 0 });
		},

		connected() {
			if (followers > 0) command({ type: "followRequests", follow: true });
		},

		event(event) {
			const { more, paused, waiting } = state.get();
			// Sockets that ended take the place of their beginnings, also during a pause: nothing moves by it.
			const requests = settled(state.get().requests, event);
			held = settled(held, event);
			// The first ones after a new connection repeat what is here already.
			const known = Math.max(clearedId, held[0]?.id ?? 0, requests[0]?.id ?? 0);
			// A node that numbers from the beginning again has lost its list; what is shown is another history.
			const restarted = event.reset && (event.requests.at(-1)?.id ?? known) < known;
			if (restarted) {
				clearedId = 0;
				held = [];
			}
			const fresh = event.requests.filter(({ id }) => restarted || id > known).reverse();
			if (paused && !restarted) {
				held = merge(fresh, held);
				heldMore += event.more;
				return change({ requests, waiting: waiting + fresh.length + event.more, loaded: true });
			}
			change({ requests: merge(fresh, restarted ? [] : requests), more: more + event.more, loaded: true });
		},
	};
}
