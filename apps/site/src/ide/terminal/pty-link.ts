import type { PtyCommand, PtySize, PtyState } from "@repldock/protocol";
import type { AccessKeeper } from "../connection/access.ts";
import { type Connection, keepConnected } from "../connection/connection.ts";
import { readPtyEvent } from "../connection/frames.ts";
import { dial } from "../connection/socket.ts";
import { createStore, type Store } from "../store.ts";
import { createPtyStream } from "./pty-stream.ts";

/** A PTY of the node, followed across lost connections. */
export type PtyLink = {
	/** Null until the first connection. */
	state: Pick<Store<PtyState | null>, "get" | "subscribe">;
	connection: Connection;
	input(bytes: Uint8Array<ArrayBuffer>): void;
	resize(size: PtySize): void;
	close(): void;
};

type Options = {
	ptyId: string;
	access: AccessKeeper;
	write(bytes: Uint8Array, processed: () => void): void;
	reset(): void;
	/** Somebody else, with another window, set the size. */
	resized(size: PtySize): void;
};

/** Typed while there is no connection; sent when there is one again. More than this was not meant to be typed. */
const mostPendingBytes = 64 * 1024;

export function linkPty(options: Options): PtyLink {
	const state = createStore<PtyState | null>(null);
	let pending: Uint8Array<ArrayBuffer>[] = [];
	let pendingBytes = 0;
	let size: PtySize | null = null;

	const command = (frame: PtyCommand) => connection.send(JSON.stringify(frame));
	const stream = createPtyStream({
		write: options.write,
		reset: options.reset,
		acknowledge: (offset) => command({ type: "acknowledge", offset }),
	});
	const connection: Connection = keepConnected({
		dial: (handlers) => {
			const path = `/ptys/${encodeURIComponent(options.ptyId)}?after=${stream.received()}`;
			return dial(options.access, path, handlers, false);
		},
		connected() {
			if (size) command({ type: "resize", size });
			const typed = pending;
			pending = [];
			pendingBytes = 0;
			for (const bytes of typed) connection.send(bytes);
		},
		text(frame) {
			const event = readPtyEvent(frame);
			switch (event?.type) {
				case "attached":
					stream.attached(event.offset, event.reset);
					state.set(event.state);
					break;
				case "state":
					state.set(event.state);
					break;
				case "resized":
					options.resized(event.size);
					break;
				case "skipped":
					stream.skipped(event.offset);
					break;
				case "closed":
					connection.close();
					break;
			}
		},
		binary: (bytes) => stream.output(bytes),
	});

	return {
		state,
		connection,
		input(bytes) {
			if (connection.send(bytes) || pendingBytes + bytes.length > mostPendingBytes) return;
			pending.push(bytes);
			pendingBytes += bytes.length;
		},
		resize(next) {
			if (size?.columns === next.columns && size.rows === next.rows) return;
			size = next;
			command({ type: "resize", size });
		},
		close: () => connection.close(),
	};
}
