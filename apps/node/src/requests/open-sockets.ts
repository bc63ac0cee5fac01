import type { AppRequest } from "@repldock/protocol";

/** Which request each open WebSocket of one project is, by the edge's name for it. */
export interface OpenSockets {
	opened(socket: string, id: number): void;
	/** The request's id, once; undefined for one that was never told to be open. */
	ended(socket: string): number | undefined;
	/** The edge began anew, and with it all sockets are over. */
	forget(): void;
}

/** @param most those that are open for the longest time are forgotten above it; their end is a request of its own. */
export function createOpenSockets(most: number): OpenSockets {
	const ids = new Map<string, number>();
	return {
		opened(socket, id) {
			ids.set(socket, id);
			const [oldest] = ids.keys();
			if (ids.size > most && oldest !== undefined) ids.delete(oldest);
		},
		ended(socket) {
			const id = ids.get(socket);
			ids.delete(socket);
			return id;
		},
		forget: () => ids.clear(),
	};
}

/** The list with those requests in the place of their beginnings. */
export function withEnds(requests: readonly AppRequest[], ends: readonly AppRequest[]): AppRequest[] {
	if (ends.length === 0) return [...requests];
	const byId = new Map(ends.map((request) => [request.id, request]));
	return requests.map((request) => byId.get(request.id) ?? request);
}
