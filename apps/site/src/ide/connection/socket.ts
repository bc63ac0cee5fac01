import { accessSubprotocolPrefix, socketSubprotocol } from "@repldock/protocol/constants";
import type { Access, AccessKeeper } from "./access.ts";

export type SocketHandlers = {
	opened(socket: WebSocket): void;
	text(frame: string): void;
	binary(bytes: Uint8Array): void;
	/** Called once, after which nothing else is: the dial failed or the connection ended. */
	lost(error: unknown): void;
};

/**
 * Dials a socket of the node.
 * @param doubtToken Whether a failed dial throws the token away, so that the next one brings a new one: a browser does
 * not tell why a dial failed. Only the events socket does so, or each missing terminal would cost a ticket.
 * @returns a function that closes the socket and silences its handlers.
 */
export function dial(keeper: AccessKeeper, path: string, handlers: SocketHandlers, doubtToken: boolean): () => void {
	let ended = false;
	let socket: WebSocket | null = null;
	const lose = (error: unknown) => {
		if (ended) return;
		ended = true;
		handlers.lost(error);
	};

	keeper.get().then((access) => {
		if (ended) return;
		socket = connect(access, path);
		let accepted = false;
		socket.onopen = () => {
			accepted = true;
			if (!ended && socket) handlers.opened(socket);
		};
		socket.onmessage = (message: MessageEvent<unknown>) => {
			if (ended) return;
			if (typeof message.data === "string") handlers.text(message.data);
			else if (message.data instanceof ArrayBuffer) handlers.binary(new Uint8Array(message.data));
		};
		socket.onclose = () => {
			if (!accepted && doubtToken) keeper.refused(access.token);
			lose(null);
		};
	}, lose);

	return () => {
		ended = true;
		socket?.close();
	};
}

function connect(access: Access, path: string): WebSocket {
	const url = access.projectUrl.replace(/^http/, "ws") + path;
	const socket = new WebSocket(url, [socketSubprotocol, accessSubprotocolPrefix + access.token]);
	socket.binaryType = "arraybuffer";
	return socket;
}
