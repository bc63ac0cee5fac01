import { createHash } from "node:crypto";
import { once } from "node:events";
import { PtyEvent, type PtySize, ptyAcknowledgeEveryBytes, type Rights } from "@repldock/protocol";
import { WebSocket } from "ws";

export interface ScreenOptions {
	socketPath: string;
	token: string;
	projectId: string;
	ptyId: string;
	origin: string | undefined;
	after?: number;
	/** Makes the token; the socket itself does not say it. */
	rights?: Rights;
	/** Sees all bytes from the first on. */
	onBytes?: (bytes: Buffer) => void;
	/** `false`: never acknowledges, like a tab that hangs. */
	acknowledges?: boolean;
}

/** A browser's end of a PTY socket, as the page's terminal is one. */
export interface Screen {
	readonly events: PtyEvent[];
	/** Offset after the last byte that came. */
	readonly offset: number;
	/** Bytes that came, ever. */
	readonly received: number;
	readonly acknowledged: number;
	/** The last 64 KiB of what came. */
	readonly text: string;
	/** Of all that came. */
	digest(): string;
	type(text: string): void;
	resize(size: PtySize): void;
	/** Settles when the text is among what came last. */
	untilText(text: string): Promise<void>;
	untilEvent(ready: (event: PtyEvent) => boolean): Promise<PtyEvent>;
	untilReceived(bytes: number): Promise<void>;
	/** Forgets the text so far. */
	clear(): void;
	acknowledge(): void;
	readonly closed: Promise<number>;
	close(): Promise<void>;
	terminate(): void;
}

const keptBytes = 64 * 1024;

/** @throws Error with the status when the socket is refused. */
export async function connectScreen(options: ScreenOptions): Promise<Screen> {
	const query = options.after === undefined ? "" : `?after=${options.after}`;
	const address = `ws+unix:${options.socketPath}:/projects/${options.projectId}/ptys/${options.ptyId}${query}`;
	const socket = new WebSocket(address, ["repldock", `access.${options.token}`], {
		perMessageDeflate: false,
		...(options.origin === undefined ? {} : { origin: options.origin }),
	});
	const hash = createHash("sha256");
	const events: PtyEvent[] = [];
	const waiting = new Set<() => void>();
	let kept = Buffer.alloc(0);
	let offset = 0;
	let received = 0;
	let acknowledged = 0;

	const closed = new Promise<number>((resolve) => socket.on("close", (code) => resolve(code)));

	function acknowledge(): void {
		acknowledged = offset;
		if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "acknowledge", offset }));
	}

	function until(ready: () => boolean): Promise<void> {
		if (ready()) return Promise.resolve();
		return new Promise((resolve) => {
			const look = () => {
				if (!ready()) return;
				waiting.delete(look);
				resolve();
			};
			waiting.add(look);
		});
	}

	const screen: Screen = {
		events,
		get offset() {
			return offset;
		},
		get received() {
			return received;
		},
		get acknowledged() {
			return acknowledged;
		},
		get text() {
			return kept.toString();
		},
		digest: () => hash.copy().digest("hex"),
		type: (text) => socket.send(Buffer.from(text)),
		resize: (size) => socket.send(JSON.stringify({ type: "resize", size })),
		untilText: (text) => until(() => kept.includes(text)),
		async untilEvent(ready) {
			await until(() => events.some(ready));
			return events.find(ready) as PtyEvent;
		},
		untilReceived: (bytes) => until(() => received >= bytes),
		clear() {
			kept = Buffer.alloc(0);
		},
		acknowledge,
		closed,
		async close() {
			socket.close();
			await closed;
		},
		terminate: () => socket.terminate(),
	};

	socket.on("message", (data, isBinary) => {
		const bytes = data as Buffer;
		if (isBinary) {
			hash.update(bytes);
			offset += bytes.length;
			received += bytes.length;
			kept = Buffer.concat([kept, bytes]).subarray(-keptBytes);
			options.onBytes?.(bytes);
			if (options.acknowledges !== false && offset - acknowledged >= ptyAcknowledgeEveryBytes) acknowledge();
		} else {
			const event = PtyEvent.parse(JSON.parse(bytes.toString()));
			if (event.type === "attached") {
				offset = event.offset;
				acknowledged = event.offset;
			}
			if (event.type === "skipped") offset = event.offset;
			events.push(event);
		}
		for (const look of [...waiting]) look();
	});
	const refused = new Promise<never>((_resolve, reject) => {
		socket.on("unexpected-response", (_request, response) => reject(new Error(`refused with ${response.statusCode}`)));
		socket.on("error", reject);
	});
	refused.catch(() => undefined);
	await Promise.race([once(socket, "open"), refused]);
	await Promise.race([until(() => events.length > 0), closed]);
	return screen;
}
