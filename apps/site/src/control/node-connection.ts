import { randomUUID } from "node:crypto";
import {
	heartbeatEveryMs,
	NodeToSite,
	type ObservedPlacement,
	type SiteToNode,
	type TicketKey,
} from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { RawData, WebSocket } from "ws";
import { nodeLostAfterMs } from "../domain/placement.ts";
import { recordAnswer } from "../store/awaited-checkpoints.ts";
import { recordCheckpoints } from "../store/checkpoints.ts";
import type { PlacedRoute } from "../store/cluster-routes.ts";
import type { Database } from "../store/database.ts";
import { registerNode, touchNode } from "../store/nodes.ts";
import { listDesired, recordObserved } from "../store/placements.ts";
import { createRouteDifference } from "./cluster-routes.ts";
import { createCoalesced } from "./coalesced.ts";
import { isTrafficMessage, recordTraffic } from "./node-traffic.ts";

export interface NodeConnectionParts {
	readonly database: Database;
	readonly ticketKeys: readonly TicketKey[];
	readonly siteOrigins: readonly string[];
	readonly edgeSecret: string;
	/** Of the site and its database, as they are now. */
	readonly siteAddresses: () => readonly string[];
	readonly runningPerUser: number;
	readonly deliverAlerts: boolean;
	readonly log: Logger;
	/** The node said hello and has its id now. */
	onRegistered(nodeId: string): void;
	onClosed(nodeId: string | null): void;
}

export interface NodeConnection {
	/** Sends the desired placements if they changed; calls that come while one is under way become one more. */
	refresh(): void;
	/** Says the welcome anew, whose addresses have changed. */
	welcomeAgain(): void;
	/** Tells it what changed of the other nodes' projects. */
	tellRoutes(placed: readonly PlacedRoute[]): void;
	close(code: number, reason: string): void;
	terminate(): void;
}

/**
 * Close codes: 1008 what was sent makes no sense, 1011 our fault, 4001 another socket speaks for this node now, 4002 another
 * machine does.
 */
const superseded = 4001;
const nameTaken = 4002;

/**
 * One node's control socket. Messages are handled one after another; when one cannot be, the socket is closed, since
 * the node says everything again when it dials in anew.
 */
export function serveNode(socket: WebSocket, parts: NodeConnectionParts): NodeConnection {
	const { database } = parts;
	const sessionId = randomUUID();
	let log = parts.log;
	let nodeId: string | null = null;
	let lastDesired: string | undefined;
	let routeDifference: ReturnType<typeof createRouteDifference> | undefined;
	let queue = Promise.resolve();
	/** What comes behind a message that could not be handled may build on it: it is said again with the rest. */
	let failed = false;
	let watchdog = setTimeout(giveUp, heartbeatEveryMs);

	function giveUp() {
		log.warn("node fell silent");
		socket.terminate();
	}

	function send(message: SiteToNode) {
		if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
	}

	function fail(error: unknown) {
		failed = true;
		log.error({ err: error }, "control socket failed");
		socket.close(1011, "The site could not handle this; dial in again.");
	}

	function welcome(id: string) {
		const { ticketKeys, siteOrigins, edgeSecret } = parts;
		const siteAddresses = [...parts.siteAddresses()];
		const said = { ticketKeys: [...ticketKeys], siteOrigins: [...siteOrigins], edgeSecret, siteAddresses };
		send({ type: "welcome", nodeId: id, ...said });
	}

	async function sendDesired() {
		if (nodeId === null || socket.readyState !== socket.OPEN) return;
		const placements = await listDesired(database, nodeId, parts.runningPerUser);
		const text = JSON.stringify(placements);
		if (text === lastDesired) return;
		lastDesired = text;
		send({ type: "desired", placements });
	}
	const refresh = createCoalesced(sendDesired, fail);

	async function recordAll(owner: string, reports: readonly ObservedPlacement[]) {
		for (const observed of reports) {
			const { projectId, generation, wantVersion } = observed;
			const taken = await recordObserved(database, owner, observed);
			if (!taken) log.debug({ project: projectId, generation, wantVersion }, "report is out of date");
		}
	}

	async function handle(message: NodeToSite): Promise<void> {
		if (message.type === "hello") {
			if (nodeId !== null) return socket.close(1008, "This socket has said hello already.");
			const { name, slots, edgeAddress = "", edgeTlsPort = null, machineId = null, storeId = null } = message;
			const gatewayUrl = message.gatewayUrl.replace(/\/$/, "");
			const said = { name, gatewayUrl, edgeAddress, edgeTlsPort, slots, machineId, storeId };
			nodeId = await registerNode(database, { ...said, sessionId });
			if (nodeId === null) {
				log.warn({ name }, "a second machine with the name of a node that is connected was refused");
				return socket.close(nameTaken, "Another server with this name is connected; give this one another name.");
			}
			if (socket.readyState !== socket.OPEN) return;
			log = log.child({ node: nodeId, name });
			log.info({ slots }, "node registered");
			await recordAll(nodeId, message.observed);
			welcome(nodeId);
			routeDifference = createRouteDifference(nodeId);
			parts.onRegistered(nodeId);
			return refresh();
		}
		if (nodeId === null) return socket.close(1008, "Say hello first.");
		if (message.type === "observed") await recordAll(nodeId, message.observed);
		if (isTrafficMessage(message)) {
			const kept = await recordTraffic(database, nodeId, message, parts.deliverAlerts);
			if (kept) send(kept);
		}
		if (message.type === "checkpoints") {
			send({ type: "checkpointsRecorded", ...(await recordCheckpoints(database, nodeId, message.checkpoints)) });
		}
		if (message.type === "checkpointAnswered") await recordAnswer(database, nodeId, message);
		if (!(await touchNode(database, nodeId, sessionId)))
			socket.close(superseded, "Another socket speaks for this node.");
	}

	function receive(data: RawData, isBinary: boolean) {
		clearTimeout(watchdog);
		watchdog = setTimeout(giveUp, nodeLostAfterMs);
		const message = isBinary ? null : parseMessage(data.toString());
		if (!message) {
			log.warn("node sent a message that makes no sense");
			return socket.close(1008, "This is no message of the protocol.");
		}
		queue = queue.then(() => (failed ? undefined : handle(message))).catch(fail);
	}

	socket.on("message", receive);
	socket.on("error", (error) => log.warn({ err: error }, "control socket broke"));
	socket.on("close", (code) => {
		clearTimeout(watchdog);
		log.info({ code }, "node disconnected");
		parts.onClosed(nodeId);
	});

	return {
		refresh,
		welcomeAgain() {
			// Who has not been told of routes has not been welcomed yet.
			if (nodeId !== null && routeDifference) welcome(nodeId);
		},
		tellRoutes(placed) {
			if (!routeDifference || socket.readyState !== socket.OPEN) return;
			const routes = routeDifference(placed);
			if (routes) send({ type: "routes", ...routes });
		},
		close: (code, reason) => socket.close(code, reason),
		terminate: () => socket.terminate(),
	};
}

function parseMessage(text: string): NodeToSite | null {
	try {
		return NodeToSite.parse(JSON.parse(text));
	} catch {
		// The caller says so to the node and to the log.
		return null;
	}
}
