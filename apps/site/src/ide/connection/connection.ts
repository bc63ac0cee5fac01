import { createStore, type Store } from "../store.ts";
import { type ConnectionEvent, type ConnectionState, initialConnection, nextConnection } from "./machine.ts";
import { ProblemError, problemOf } from "./problem.ts";
import type { SocketHandlers } from "./socket.ts";

export type Connection = {
	state: Pick<Store<ConnectionState>, "get" | "subscribe">;
	/** Sends a frame if connected. @returns whether it was handed to the socket. */
	send(frame: string | Uint8Array<ArrayBuffer>): boolean;
	/** Dials now if it is not connected. */
	wake(): void;
	close(): void;
};

type Options = {
	/** Starts one dial; see `dial` in socket.ts. */
	dial(handlers: SocketHandlers): () => void;
	connected(): void;
	text(frame: string): void;
	binary(bytes: Uint8Array): void;
};

/** Keeps one socket alive: carries out what the state table says and dials again when the network comes back. */
export function keepConnected(options: Options): Connection {
	const state = createStore<ConnectionState>(initialConnection);
	let socket: WebSocket | null = null;
	let hangUp: () => void = () => {};
	let timer: ReturnType<typeof setTimeout> | undefined;

	function handle(event: ConnectionEvent): void {
		const before = state.get();
		const next = nextConnection(before, event);
		if (next === before) return;
		clearTimeout(timer);
		if (next.kind !== "connected") {
			hangUp();
			socket = null;
		}
		state.set(next);
		if (next.kind === "connecting") start();
		if (next.kind === "waiting") timer = setTimeout(() => handle({ type: "timerFired" }), next.delayMs);
	}

	function start(): void {
		hangUp = options.dial({
			opened(opened) {
				socket = opened;
				handle({ type: "opened" });
				options.connected();
			},
			text: options.text,
			binary: options.binary,
			lost(error) {
				const problem = error === null ? null : problemOf(error);
				if (error instanceof ProblemError && isFinal(error)) handle({ type: "refused", problem: error.problem });
				else handle({ type: "lost", random: Math.random(), problem });
			},
		});
	}

	const wake = () => handle({ type: "wake" });
	const wakeWhenVisible = () => {
		if (document.visibilityState === "visible") wake();
	};
	addEventListener("online", wake);
	document.addEventListener("visibilitychange", wakeWhenVisible);
	start();

	return {
		state,
		send(frame) {
			if (socket?.readyState !== WebSocket.OPEN) return false;
			socket.send(frame);
			return true;
		},
		wake,
		close() {
			removeEventListener("online", wake);
			document.removeEventListener("visibilitychange", wakeWhenVisible);
			handle({ type: "close" });
		},
	};
}

/** Errors that stay until the person does something; all others are worth another dial. */
function isFinal(error: ProblemError): boolean {
	return ["sign_in_required", "not_allowed", "not_found"].includes(error.problem.code);
}
