import { type AccessClaims, documentMaxBytes, toProblem, WorkspaceCommand } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { WebSocket } from "ws";
import type { RequestLog } from "../requests/request-log.ts";
import type { Traffic } from "../traffic/traffic.ts";
import { MalformedFrameError } from "../workspace/documents/yjs-update.ts";
import type { Workspace, WorkspaceClient } from "../workspace/workspace.ts";
import { withoutMessage } from "./problems.ts";

/** A client's whole edit history of one document comes in one frame after a long time offline. */
export const eventsFrameMaxBytes = 2 * documentMaxBytes + 64 * 1024;
const textFrameMaxBytes = 1024 * 1024;
/** A page that reads slower than the others write is cut off; it reconnects and asks for the present state. */
const bufferedMaxBytes = 4 * documentMaxBytes;
/** Text frames within one window; a page sends a few per click. */
const commandsPerWindow = 600;
const windowMs = 10_000;

/** Closing codes (RFC 6455 and ours, the same as of PTY sockets). */
const closePolicy = 1008;
export const closeTryAgain = 1013;
export const closeAccessEnded = 4401;

/** Serves one events socket until it closes. */
export function serveEvents(options: {
	socket: WebSocket;
	workspace: Workspace;
	claims: AccessClaims;
	requests: RequestLog;
	traffic: Pick<Traffic, "follow">;
	log: Logger;
}): void {
	const { socket, workspace, claims, requests, traffic, log } = options;
	let endRequests: (() => void) | undefined;
	let endTraffic: (() => void) | undefined;
	let windowStartedAtMs = 0;
	let commands = 0;

	const client: WorkspaceClient = {
		userId: claims.sub,
		name: claims.name,
		canEdit: claims.rights === "edit",
		send: (event) => send(JSON.stringify(event)),
		sendFrame: send,
	};

	function send(data: string | Uint8Array) {
		if (socket.readyState !== socket.OPEN) return;
		if (socket.bufferedAmount > bufferedMaxBytes) {
			log.warn({ projectId: claims.projectId }, "an events socket was cut off: it reads too slowly");
			socket.terminate();
			return;
		}
		socket.send(data);
	}

	/** Visitors' addresses are for those alone who may change the project. */
	function followRequests(follow: boolean) {
		endRequests?.();
		endRequests = undefined;
		if (!follow || !client.canEdit) return;
		endRequests = requests.follow(claims.projectId, (news) => client.send({ type: "requests", ...news }));
	}

	/** Where a program connects to tells what it does. */
	function followTraffic(follow: boolean) {
		endTraffic?.();
		endTraffic = undefined;
		if (!follow || !client.canEdit) return;
		endTraffic = traffic.follow(claims.projectId, (news) => client.send({ type: "traffic", ...news }));
	}

	function leave() {
		followRequests(false);
		followTraffic(false);
		workspace.leave(client);
	}

	function receiveCommand(text: string) {
		const now = performance.now();
		if (now - windowStartedAtMs > windowMs) {
			windowStartedAtMs = now;
			commands = 0;
		}
		commands += 1;
		if (commands > commandsPerWindow || text.length > textFrameMaxBytes) throw new MalformedFrameError("too much");
		const command = parseCommand(text);
		switch (command.type) {
			case "watch":
				workspace.watch(client, command.directories);
				return;
			case "openDocument":
				void workspace.documents.open(client, command.path);
				return;
			case "closeDocument":
				workspace.documents.close(client, command.document);
				return;
			case "followRequests":
				followRequests(command.follow);
				return;
			case "followTraffic":
				followTraffic(command.follow);
				return;
			case "ping":
				client.send({ type: "pong", at: command.at });
				return;
		}
	}

	socket.on("message", (data, isBinary) => {
		try {
			if (isBinary) workspace.documents.receive(client, toBytes(data));
			else receiveCommand(toBytes(data).toString("utf8"));
		} catch (error) {
			const malformed = error instanceof MalformedFrameError;
			if (malformed) log.warn({ projectId: claims.projectId, reason: error.message }, "an events socket was closed");
			else log.error({ projectId: claims.projectId, error: withoutMessage(error) }, "an events socket failed");
			socket.close(malformed ? closePolicy : 1011, malformed ? "not understood" : toProblem(error).code);
			leave();
		}
	});
	socket.on("close", leave);
	workspace.join(client);
}

function parseCommand(text: string): WorkspaceCommand {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (error) {
		throw new MalformedFrameError("a text frame that is no JSON", error);
	}
	const parsed = WorkspaceCommand.safeParse(value);
	if (!parsed.success) throw new MalformedFrameError("an unknown command", parsed.error);
	return parsed.data;
}

function toBytes(data: Buffer | ArrayBuffer | Buffer[]): Buffer {
	if (Array.isArray(data)) return Buffer.concat(data);
	return data instanceof ArrayBuffer ? Buffer.from(data) : data;
}
