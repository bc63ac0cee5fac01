import {
	type Checkpoint,
	type CheckpointId,
	type ClusterRoutes,
	controlPath,
	type DesiredPlacement,
	heartbeatEveryMs,
	type NodeToSite,
	type ObservedPlacement,
	SiteToNode,
	type TicketKey,
} from "@repldock/protocol";
import { createBackoff, type Logger } from "@repldock/service";
import { WebSocket } from "ws";

export interface Welcome {
	nodeId: string;
	ticketKeys: TicketKey[];
	siteOrigins: string[];
	edgeSecret: string;
	/** IPv4 addresses that containers must not reach. */
	siteAddresses: string[];
}

export interface ControlClientOptions {
	siteUrl: string;
	/** Unix socket of a site on this machine, which needs neither the edge nor a certificate to be reached. */
	siteSocket?: string | undefined;
	nodeToken: string;
	name: string;
	gatewayUrl: string;
	edgeAddress: string;
	/** Where the same edge speaks TLS; null when it does not. */
	edgeTlsPort: number | null;
	slots: number;
	machineId: string;
	/** Names the object store; null while it does not answer. */
	storeId(): string | null;
	/** The full observed set, for the greeting. */
	observed(): ObservedPlacement[];
	onWelcome(welcome: Welcome): void;
	onDesired(placements: DesiredPlacement[]): void;
	/** Projects of other nodes. */
	onRoutes(routes: ClusterRoutes): void;
	/** What the site has taken down of the node's traffic. */
	onTrafficKept(hours: readonly number[]): void;
	onAlertsKept(ids: readonly string[]): void;
	/** The site has these in its database; `orphaned` it has refused, since what they build on is gone. */
	onCheckpointsRecorded(recorded: CheckpointId[], orphaned: CheckpointId[]): void;
	log: Logger;
}

export interface ControlClient {
	/** Tells the site of changed placements; while disconnected nothing is kept, since the greeting says it all. */
	report(observed: ObservedPlacement[]): void;
	/** Tells the site something else; while disconnected it is lost, and who tells it says it again. */
	tell(message: NodeToSite): void;
	/** Tells the site what is in the object store; lost before a welcome, so say it again then, until it is recorded. */
	reportCheckpoints(checkpoints: readonly Checkpoint[]): void;
	/** Says hello anew, since something in it has changed. */
	greetAgain(): void;
	close(): void;
}

/** The site answers each heartbeat's ping; silence for three of them means that the connection is dead. */
const silenceMs = 3 * heartbeatEveryMs;

/** Dials out to the site and stays connected, with growing pauses between attempts, until it is closed. */
export function connectControl(options: ControlClientOptions): ControlClient {
	const { log } = options;
	const backoff = createBackoff(200, 10_000);
	const url = new URL(controlPath, options.siteUrl);
	url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
	let socket: WebSocket | undefined;
	let retry: NodeJS.Timeout | undefined;
	let closed = false;
	/** Whether the site has asked for all that it was told before to be told again, by its welcome. */
	let isWelcome = false;

	function send(message: NodeToSite) {
		if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
	}

	function dial() {
		const current = new WebSocket(options.siteSocket ? `ws+unix:${options.siteSocket}:${controlPath}` : url, {
			headers: { host: url.host, authorization: `Bearer ${options.nodeToken}` },
			handshakeTimeout: 10_000,
			perMessageDeflate: false,
			maxPayload: 64 * 1024 * 1024,
		});
		socket = current;
		let lastHeardMs = Date.now();
		const heartbeat = setInterval(() => {
			if (Date.now() - lastHeardMs > silenceMs) return current.terminate();
			if (current.readyState !== WebSocket.OPEN) return;
			send({ type: "heartbeat" });
			current.ping();
		}, heartbeatEveryMs);

		current.on("open", () => {
			lastHeardMs = Date.now();
			const { name, gatewayUrl, edgeAddress, edgeTlsPort, slots, machineId } = options;
			const said = { name, gatewayUrl, edgeAddress, edgeTlsPort, slots, machineId };
			send({ type: "hello", ...said, storeId: options.storeId(), observed: options.observed() });
		});
		current.on("pong", () => {
			lastHeardMs = Date.now();
		});
		current.on("message", (data) => {
			lastHeardMs = Date.now();
			receive(String(data));
		});
		current.on("error", (error) => log.debug({ err: error }, "control socket"));
		current.on("close", (_code, reason) => {
			clearInterval(heartbeat);
			isWelcome = false;
			if (closed) return;
			const waitMs = backoff.nextMs();
			log.info({ waitMs: Math.round(waitMs), reason: String(reason) }, "not connected to the site; trying again");
			retry = setTimeout(dial, waitMs);
		});
	}

	function receive(text: string) {
		let message: SiteToNode;
		try {
			message = SiteToNode.parse(JSON.parse(text));
		} catch (error) {
			log.error({ err: error }, "the site sent a message that this agent does not understand");
			return;
		}
		switch (message.type) {
			case "welcome":
				backoff.reset();
				isWelcome = true;
				return options.onWelcome(message);
			case "routes":
				return options.onRoutes(message);
			case "trafficKept":
				return options.onTrafficKept(message.hours);
			case "alertsKept":
				return options.onAlertsKept(message.ids);
			case "checkpointsRecorded":
				return options.onCheckpointsRecorded(message.recorded, message.orphaned);
			case "desired":
				return options.onDesired(message.placements);
		}
	}

	dial();
	return {
		report(observed) {
			if (observed.length > 0) send({ type: "observed", observed });
		},
		tell: send,
		reportCheckpoints(checkpoints) {
			// Before that it may not know of what they build on.
			if (isWelcome && checkpoints.length > 0) send({ type: "checkpoints", checkpoints: [...checkpoints] });
		},
		greetAgain: () => socket?.close(),
		close() {
			closed = true;
			clearTimeout(retry);
			socket?.close();
		},
	};
}
