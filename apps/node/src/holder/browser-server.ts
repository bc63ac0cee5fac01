import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Duplex } from "node:stream";
import { type AccessClaims, PtyCommand, type PtyEvent, socketSubprotocol, toProblem } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import type { AccessControl } from "./access-control.ts";
import type { Ptys } from "./ptys.ts";
import type { ViewerSocket } from "./viewer.ts";

/** Sockets of browsers, as they come through NGINX. */
export interface BrowserServer {
	readonly server: Server;
	/** Closes the project's sockets whose rights were taken away. */
	closeRevoked(projectId: string): void;
	close(): void;
}

/** A paste may be large; what is larger comes in several frames. */
const inputFrameMostBytes = 1024 * 1024;
/** Half-open connections are found, and proxies kept from closing quiet ones. */
const pingEveryMs = 25_000;
const mostSocketsPerProject = 256;
/** Places that people who only look cannot take from those who work. */
const mostViewersPerProject = 192;
/** Output in flight is bounded by the window; events and answers to pings by this, on top of it. */
const bufferedMostBytes = 4 * 1024 * 1024;
/** Longest time that a timer can be set to. */
const timerMostMs = 2 ** 31 - 1;

/** Closing codes (RFC 6455): 1008 policy, 4401 the access ended (fetch a new one and reconnect). */
const closePolicy = 1008;
const closeAccessEnded = 4401;

const unknownPty: PtyEvent = { type: "closed" };

export function createBrowserServer(options: { ptys: Ptys; access: AccessControl; log: Logger }): BrowserServer {
	const { ptys, access, log } = options;
	const sockets = new Map<WebSocket, { claims: AccessClaims; alive: boolean }>();
	const webSockets = new WebSocketServer({
		noServer: true,
		perMessageDeflate: false,
		// Answered below: a client that pings and never reads would fill the memory with answers.
		autoPong: false,
		maxPayload: inputFrameMostBytes,
		handleProtocols: () => socketSubprotocol,
	});
	const server = createServer((_request, response) => {
		response.writeHead(426, { upgrade: "websocket" }).end();
	});

	server.on("upgrade", (request, socket, head) => {
		socket.on("error", (error) => log.debug({ err: error }, "a browser's connection broke"));
		admit(request, socket, head).catch((error: unknown) => {
			const problem = toProblem(error);
			if (problem.code === "internal") log.error({ err: error }, "a terminal socket could not be opened");
			refuse(socket, problem.status, JSON.stringify(problem));
		});
	});

	async function admit(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
		const { claims, ptyId, after } = await access.admit(request);
		webSockets.handleUpgrade(request, socket, head, (webSocket) => attach(webSocket, claims, ptyId, after));
	}

	function attach(webSocket: WebSocket, claims: AccessClaims, ptyId: string, after: number | undefined): void {
		webSocket.on("error", (error) => log.debug({ err: error }, "a terminal socket broke"));
		const pty = ptys.find(claims.projectId, ptyId);
		if (!pty) {
			webSocket.send(JSON.stringify(unknownPty));
			webSocket.close(1000, "closed");
			return;
		}
		const { all, viewers } = countSockets(claims.projectId);
		if (all >= mostSocketsPerProject || (claims.rights === "view" && viewers >= mostViewersPerProject)) {
			webSocket.close(closePolicy, "too many sockets");
			return;
		}
		const known = { claims, alive: true };
		sockets.set(webSocket, known);
		const socket = viewerSocket(webSocket);
		const attachment = pty.attach({ socket, mayEdit: claims.rights === "edit", after });
		const lifetimeMs = Math.min(timerMostMs, Math.max(0, claims.exp * 1000 - Date.now()));
		const expiry = setTimeout(() => webSocket.close(closeAccessEnded, "access expired"), lifetimeMs);

		webSocket.on("message", (data, isBinary) => {
			if (isBinary) {
				attachment.input(joined(data));
				return;
			}
			const command = readCommand(joined(data));
			if (command) attachment.command(command);
			else webSocket.close(closePolicy, "not a command");
		});
		webSocket.on("pong", () => {
			known.alive = true;
		});
		webSocket.on("ping", (data) => {
			if (webSocket.bufferedAmount < bufferedMostBytes) webSocket.pong(data);
		});
		webSocket.on("close", () => {
			clearTimeout(expiry);
			sockets.delete(webSocket);
			attachment.detach();
		});
	}

	function countSockets(projectId: string): { all: number; viewers: number } {
		const ofProject = [...sockets.values()].filter(({ claims }) => claims.projectId === projectId);
		return { all: ofProject.length, viewers: ofProject.filter(({ claims }) => claims.rights === "view").length };
	}

	const pinging = setInterval(() => {
		for (const [webSocket, known] of sockets) {
			if (!known.alive) webSocket.terminate();
			known.alive = false;
			webSocket.ping();
		}
	}, pingEveryMs);

	return {
		server,
		closeRevoked(projectId) {
			for (const [webSocket, { claims }] of sockets) {
				if (claims.projectId === projectId && !access.isCurrent(claims))
					webSocket.close(closeAccessEnded, "rights changed");
			}
		},
		close() {
			clearInterval(pinging);
			for (const webSocket of sockets.keys()) webSocket.terminate();
			server.close();
		},
	};
}

function viewerSocket(webSocket: WebSocket): ViewerSocket {
	return {
		sendText(text) {
			// Who makes events and does not read them is cut off, and resumes by its offset when it comes back.
			if (webSocket.bufferedAmount > bufferedMostBytes) webSocket.terminate();
			else webSocket.send(text);
		},
		sendBytes: (bytes) => webSocket.send(bytes),
		pauseInput: () => webSocket.pause(),
		resumeInput: () => webSocket.resume(),
		close: (code, reason) => webSocket.close(code, reason),
	};
}

function readCommand(bytes: Buffer): PtyCommand | null {
	try {
		return PtyCommand.safeParse(JSON.parse(bytes.toString())).data ?? null;
	} catch {
		return null; // Not JSON: as wrong as any other text.
	}
}

/** `ws` hands out single buffers unless told otherwise. */
function joined(data: RawData): Buffer {
	if (Buffer.isBuffer(data)) return data;
	return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

function refuse(socket: Duplex, status: number, body: string): void {
	const head = [
		`HTTP/1.1 ${status} Refused`,
		"Content-Type: application/problem+json",
		`Content-Length: ${Buffer.byteLength(body)}`,
		"Connection: close",
	];
	socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
