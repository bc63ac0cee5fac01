import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { parseInput, RepldockError, toProblem } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { AccessControl } from "./access-control.ts";
import type { BrowserServer } from "./browser-server.ts";
import {
	ResetMessage,
	SetOriginsMessage,
	SetPacesMessage,
	SetRightsMessage,
	StartMessage,
	StopMessage,
	TailMessage,
	type WatchEvent,
	WriteMessage,
} from "./messages.ts";
import type { Paces } from "./paces.ts";
import type { Ptys } from "./ptys.ts";

const bodyMostBytes = 4 * 1024 * 1024;

/** The agent's end of the holder; who may open the socket may do all of it. */
export interface ControlServer {
	readonly server: Server;
	/** Tells the watching agents that a project's PTYs changed. */
	notify(projectId: string): void;
	/** Tells them that a project's terminals begin to wait for their pace. */
	notifyWait(projectId: string): void;
	close(): void;
}

export function createControlServer(options: {
	ptys: Ptys;
	paces: Paces;
	access: AccessControl;
	browsers: BrowserServer;
	log: Logger;
}): ControlServer {
	const { ptys, paces, access, browsers, log } = options;
	const watchers = new Set<Watcher>();

	const commands: Record<string, (body: unknown) => Promise<void> | object | void> = {
		start: (body) => ptys.start(parseInput(StartMessage, body)),
		stop(body) {
			const { projectId, ptyId } = parseInput(StopMessage, body);
			return ptys.stop(projectId, ptyId);
		},
		remove(body) {
			const { projectId, ptyId } = parseInput(StopMessage, body);
			return ptys.remove(projectId, ptyId);
		},
		reset: (body) => ptys.reset(parseInput(ResetMessage, body).projectId),
		write(body) {
			const { projectId, ptyId, text } = parseInput(WriteMessage, body);
			ptys.write(projectId, ptyId, text);
		},
		tail(body) {
			const { projectId, ptyId, ...bounds } = parseInput(TailMessage, body);
			return { text: ptys.tail(projectId, ptyId, bounds) };
		},
		setRights(body) {
			const { projectId, rightsVersion } = parseInput(SetRightsMessage, body);
			access.setRights(projectId, rightsVersion);
			browsers.closeRevoked(projectId);
		},
		setOrigins: (body) => access.setOrigins(parseInput(SetOriginsMessage, body).origins),
		setPaces: (body) => paces.set(parseInput(SetPacesMessage, body)),
	};

	async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const name = (request.url ?? "").slice(1);
		if (request.method === "GET" && (name === "list" || name === "sent")) {
			response.setHeader("content-type", "application/json");
			response.end(JSON.stringify({ projects: name === "list" ? ptys.list() : paces.counts() }));
		} else if (request.method === "GET" && name === "watch") {
			const watcher = createWatcher(response, ptys);
			watchers.add(watcher);
			response.on("close", () => watchers.delete(watcher));
		} else {
			const command = request.method === "POST" && Object.hasOwn(commands, name) ? commands[name] : undefined;
			if (!command) throw new RepldockError("not_found", `The holder has no ${request.method} /${name}.`);
			const result = await command(await readJson(request));
			if (result === undefined) response.writeHead(204).end();
			else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(result));
		}
	}

	const server = createServer((request, response) => {
		answer(request, response).catch((error: unknown) => {
			const problem = toProblem(error);
			if (problem.code === "internal") log.error({ err: error, request: request.url }, "a command failed");
			else log.info({ err: error, request: request.url }, "a command was refused");
			response.writeHead(problem.status, { "content-type": "application/problem+json" }).end(JSON.stringify(problem));
		});
	});
	// A stop takes its time; nothing else on this socket needs a limit.
	server.requestTimeout = 0;

	return {
		server,
		notify(projectId) {
			for (const watcher of watchers) watcher.changed(projectId);
		},
		notifyWait(projectId) {
			for (const watcher of watchers) watcher.waits(projectId);
		},
		close() {
			server.closeAllConnections();
			server.close();
		},
	};
}

interface Watcher {
	changed(projectId: string): void;
	/** Left out for an agent that does not read: the counts tell it too. */
	waits(projectId: string): void;
}

/** Sends the snapshot, then each changed project once per turn; an agent that reads slowly gets the latest state only. */
function createWatcher(response: ServerResponse, ptys: Ptys): Watcher {
	const changed = new Set<string>();
	let scheduled = false;

	function send(event: WatchEvent): void {
		response.write(`${JSON.stringify(event)}\n`);
	}

	function sendChanges(): void {
		scheduled = false;
		if (response.writableNeedDrain) return;
		for (const projectId of changed) send({ type: "project", ...ptys.describe(projectId) });
		changed.clear();
	}

	response.writeHead(200, { "content-type": "application/x-ndjson" });
	response.on("drain", sendChanges);
	send({ type: "snapshot", projects: ptys.list() });

	return {
		changed(projectId) {
			changed.add(projectId);
			if (scheduled) return;
			scheduled = true;
			setImmediate(sendChanges);
		},
		waits(projectId) {
			if (!response.writableNeedDrain) send({ type: "waits", projectId });
		},
	};
}

async function readJson(request: IncomingMessage): Promise<unknown> {
	const parts: Buffer[] = [];
	let length = 0;
	for await (const part of request) {
		length += (part as Buffer).length;
		if (length > bodyMostBytes) throw new RepldockError("invalid_input", "The message is too long.");
		parts.push(part as Buffer);
	}
	try {
		return JSON.parse(Buffer.concat(parts).toString());
	} catch (error) {
		throw new RepldockError("invalid_input", "The message is not JSON.", { cause: error });
	}
}
