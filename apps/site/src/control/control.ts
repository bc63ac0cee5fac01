import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { TicketKey } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import { WebSocketServer } from "ws";
import { listPlacedRoutes } from "../store/cluster-routes.ts";
import type { Database, DatabaseAddress } from "../store/database.ts";
import { desiredChannel, listen } from "../store/listener.ts";
import { createCoalesced } from "./coalesced.ts";
import { type NodeConnection, serveNode } from "./node-connection.ts";
import { bearsNodeToken } from "./node-token.ts";

/** Notifications can be lost with a connection; this often everything is looked at anyway. */
const pollEveryMs = 10_000;
/** Between two tellings of which project is where. */
const routesPauseMs = 200;
/** A hello with the reports of thousands of placements. */
const messageMaxBytes = 16 * 1024 * 1024;

export interface ControlOptions {
	readonly database: Database;
	readonly databaseAddress: DatabaseAddress;
	readonly nodeToken: string;
	readonly ticketKeys: readonly TicketKey[];
	readonly siteOrigins: readonly string[];
	/** What edges prove themselves to each other with. */
	readonly edgeSecret: string;
	/** IPv4 addresses of the site and its database, which containers must not reach. */
	readonly siteAddresses: () => readonly string[];
	/** Most containers of one person that may run at the same time. */
	readonly runningPerUser: number;
	/** Whether alerts of nodes are to be sent on. */
	readonly deliverAlerts: boolean;
	readonly log: Logger;
}

/** The site's end of all control sockets that this instance holds. */
export interface Control {
	/** Takes over an HTTP upgrade to the control path; refuses it without the node token. */
	upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
	/** Tells all nodes the site's addresses, which have changed. */
	addressesChanged(): void;
	close(): Promise<void>;
}

export function createControl(options: ControlOptions): Control {
	const { log } = options;
	const server = new WebSocketServer({ noServer: true, maxPayload: messageMaxBytes, perMessageDeflate: false });
	const connections = new Set<NodeConnection>();
	/** Those that said hello, by node; two of one node while an old one dies. */
	const byNode = new Map<string, Set<NodeConnection>>();

	/** One reading of the table serves all nodes; changes within the pause are told together. */
	const tellRoutes = createCoalesced(
		async () => {
			if (connections.size === 0) return;
			const placed = await listPlacedRoutes(options.database);
			for (const connection of connections) connection.tellRoutes(placed);
			await new Promise((resolve) => setTimeout(resolve, routesPauseMs).unref());
		},
		(error) => log.error({ err: error }, "nodes were not told of each other's projects"),
	);

	function refreshAll() {
		for (const connection of connections) connection.refresh();
		tellRoutes();
	}
	const listener = listen(options.databaseAddress, desiredChannel, {
		payload: (nodeId) => {
			for (const connection of byNode.get(nodeId) ?? []) connection.refresh();
			tellRoutes();
		},
		connected: refreshAll,
		lost: (error) =>
			log.warn({ reason: error.message }, "the database's notifications are lost; polling until they are back"),
	});
	const poll = setInterval(refreshAll, pollEveryMs);

	return {
		upgrade(request, socket, head) {
			if (!bearsNodeToken(request, options.nodeToken)) {
				log.warn("a node was refused: its token is wrong");
				return refuseUpgrade(socket, "401 Unauthorized", "The node token is wrong.");
			}
			server.handleUpgrade(request, socket, head, (webSocket) => {
				const connection = serveNode(webSocket, {
					...options,
					onRegistered(nodeId) {
						const ofNode = byNode.get(nodeId) ?? new Set();
						byNode.set(nodeId, ofNode.add(connection));
						tellRoutes();
					},
					onClosed(nodeId) {
						connections.delete(connection);
						if (nodeId === null) return;
						const ofNode = byNode.get(nodeId);
						ofNode?.delete(connection);
						if (ofNode?.size === 0) byNode.delete(nodeId);
					},
				});
				connections.add(connection);
			});
		},
		addressesChanged() {
			for (const connection of connections) connection.welcomeAgain();
		},
		async close() {
			clearInterval(poll);
			await listener.close();
			const closed = new Promise<void>((resolve) => server.close(() => resolve()));
			for (const connection of connections) connection.close(1001, "This site instance stops; dial in again.");
			const impatience = setTimeout(() => {
				for (const connection of connections) connection.terminate();
			}, 1_000);
			await closed;
			clearTimeout(impatience);
		},
	};
}

/** Answers an upgrade with plain HTTP and ends the connection. */
export function refuseUpgrade(socket: Duplex, status: string, sentence: string): void {
	socket.on("error", () => undefined);
	socket.end(
		`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
			`Content-Length: ${Buffer.byteLength(sentence)}\r\n\r\n${sentence}`,
	);
}
