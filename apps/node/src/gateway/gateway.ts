import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import {
	type AccessClaims,
	accessSubprotocolPrefix,
	ProjectId,
	RepldockError,
	socketSubprotocol,
	toProblem,
} from "@repldock/protocol";
import { type WebSocket, WebSocketServer } from "ws";
import { authorize, requireCurrent } from "./authorize.ts";
import type { GatewayDependencies, GatewayEnvironment } from "./context.ts";
import { closeAccessEnded, closeTryAgain, eventsFrameMaxBytes, serveEvents } from "./events.ts";
import { createHttp } from "./http.ts";
import { withoutMessage } from "./problems.ts";
import { dropUnreadBody } from "./request-body.ts";

/** The agent's door for browsers; it stands behind the edge, on a unix socket. */
export interface Gateway {
	/** Answers the requests and upgrades of this server. */
	attach(server: Server): void;
	/** Placements or rights changed: sockets whose rights ended are closed. */
	recheck(): void;
	/** Asks all pages to come back later. */
	close(): void;
}

/** Half-open connections are found, and proxies kept from closing quiet ones. */
const pingEveryMs = 25_000;
const socketsPerProject = 256;
/** Of these, how many may be those of people who only look: strangers must not keep a public project's owner out. */
const viewersPerProject = 192;
const socketsPerPerson = 64;
/** Bytes that wait for a client, from which on its pings are left unanswered. */
const pongsHeldBack = 64 * 1024;

export function createGateway(dependencies: GatewayDependencies): Gateway {
	const { log } = dependencies;
	const app = createHttp(dependencies);
	const sockets = new Map<WebSocket, { claims: AccessClaims; alive: boolean }>();
	const webSockets = new WebSocketServer({
		noServer: true,
		perMessageDeflate: false,
		// Answered below, with care: a client that pings and never reads would fill the memory with answers.
		autoPong: false,
		maxPayload: eventsFrameMaxBytes,
		handleProtocols: () => socketSubprotocol,
	});
	const pings = setInterval(() => {
		recheck();
		for (const [socket, known] of sockets) {
			if (!known.alive) socket.terminate();
			known.alive = false;
			socket.ping();
		}
	}, pingEveryMs);
	pings.unref();

	function recheck() {
		for (const [socket, { claims }] of sockets) {
			try {
				requireCurrent(dependencies, claims);
			} catch (error) {
				socket.close(closeAccessEnded, toProblem(error).code);
			}
		}
	}

	/** @throws RepldockError `too_many_requests` */
	function requireRoom({ projectId, sub, rights }: AccessClaims) {
		const present = [...sockets.values()].flatMap(({ claims }) => (claims.projectId === projectId ? claims : []));
		const viewers = present.filter((claims) => claims.rights === "view").length;
		const own = present.filter((claims) => claims.sub === sub).length;
		const full = present.length >= socketsPerProject || (rights === "view" && viewers >= viewersPerProject);
		if (full || own >= socketsPerPerson) {
			throw new RepldockError("too_many_requests", "Too many pages have this project open. Close some.");
		}
	}

	async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
		const projectId = projectOf(request);
		const origin = request.headers.origin;
		if (origin !== undefined && !dependencies.siteOrigins().includes(origin)) {
			throw new RepldockError("not_allowed", "Pages of this origin may not connect.");
		}
		const claims = await authorize(dependencies, tokenOf(request), projectId);
		const workspace = await dependencies.workspaces.open(projectId);
		if (socket.destroyed) return;
		requireRoom(claims);
		webSockets.handleUpgrade(request, socket, head, (webSocket) => {
			const known = { claims, alive: true };
			sockets.set(webSocket, known);
			webSocket.on("pong", () => {
				known.alive = true;
			});
			webSocket.on("ping", (data) => {
				if (webSocket.bufferedAmount < pongsHeldBack) webSocket.pong(data);
			});
			webSocket.on("close", () => sockets.delete(webSocket));
			webSocket.on("error", (error) => log.debug({ error: withoutMessage(error) }, "an events socket broke"));
			try {
				const { requests, traffic } = dependencies;
				serveEvents({ socket: webSocket, workspace, claims, requests, traffic, log });
			} catch (error) {
				webSocket.close(closeTryAgain, toProblem(error).code);
			}
		});
	}

	return {
		attach(server) {
			const listener = getRequestListener(
				(request, environment) => app.fetch(request, environment as GatewayEnvironment["Bindings"]),
				{ autoCleanupIncoming: false },
			);
			server.on("request", (request, response) => {
				response.once("finish", () => dropUnreadBody(request));
				void listener(request, response);
			});
			server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
				socket.on("error", (error) => log.debug({ error: withoutMessage(error) }, "a browser's connection broke"));
				upgrade(request, socket, head).catch((error: unknown) => {
					const problem = toProblem(error);
					if (problem.code === "internal") log.error({ error: withoutMessage(error) }, "an events socket failed");
					refuse(socket, problem.status, JSON.stringify(problem));
				});
			});
		},

		recheck,

		close() {
			clearInterval(pings);
			for (const socket of sockets.keys()) socket.close(closeTryAgain, "restarting");
			webSockets.close();
		},
	};
}

/** @throws RepldockError `not_found` */
function projectOf(request: IncomingMessage): string {
	const match = /^\/projects\/([^/?]+)\/events(?:\?|$)/.exec(request.url ?? "");
	const projectId = ProjectId.safeParse(match?.[1]);
	if (!projectId.success) throw new RepldockError("not_found", "There is no socket at this address.");
	return projectId.data;
}

function tokenOf(request: IncomingMessage): string | undefined {
	const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
	if (!offered.includes(socketSubprotocol)) return undefined;
	return offered.find((name) => name.startsWith(accessSubprotocolPrefix))?.slice(accessSubprotocolPrefix.length);
}

function refuse(socket: Duplex, status: number, body: string) {
	socket.end(
		`HTTP/1.1 ${status} Refused\r\nContent-Type: application/problem+json\r\n` +
			`Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
	);
}
