import { createReadStream } from "node:fs";
import { createBackoff, type Logger } from "@repldock/service";
import { z } from "zod";
import type { ContainerStatus, Engine, EngineEvent } from "../host.ts";
import { containerBody, labels, readStatus } from "./engine-container.ts";
import { createEngineHttp, EngineError } from "./engine-http.ts";
import { createLineReader } from "./line-reader.ts";
import { protectPlaceholder } from "./placeholder.ts";
import { boundContainer } from "./shared-limits.ts";

export { EngineError } from "./engine-http.ts";

const Created = z.object({ Id: z.string() });
const Listed = z.array(z.object({ Id: z.string() }));
const InspectedExec = z.object({ Running: z.boolean(), ExitCode: z.int().nullable(), Pid: z.int() });
const ImportProgress = z.object({ error: z.string().optional() });
const Event = z.object({
	Action: z.string(),
	Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.string()) }),
});

const watchedActions: readonly EngineEvent["action"][] = ["start", "die", "oom", "destroy"];
const notFound = 404;
const notModified = 304;
const conflict = 409;

/** From this API version on the engine makes a terminal in its size. */
const sizesTerminalsFrom = 42;
/** A size that is not taken within this time is worth another try. */
const resizeWithinMs = 5_000;
const shell = "/bin/bash";

/**
 * A client of the Docker Engine API over its unix socket, engine 20.10 (API 1.41) or newer.
 * @param options.runtime OCI runtime for new containers; undefined means the engine's default.
 */
export function createEngine(options: { socketPath: string; log: Logger; runtime?: string }): Engine {
	const http = createEngineHttp(options.socketPath);

	async function inspectContainer(id: string): Promise<ContainerStatus | null> {
		const { status, json } = await http.call({ method: "GET", path: containerPath(id, "/json"), accept: [notFound] });
		return status === notFound ? null : readStatus(json);
	}

	async function listContainers(): Promise<ContainerStatus[]> {
		const filters = encodeFilters({ label: [labels.project] });
		const { json } = await http.call({ method: "GET", path: `/containers/json?all=1&filters=${filters}` });
		// The list lacks pid and out-of-memory; one that goes away between list and look is simply not there any more.
		const found = await Promise.all(Listed.parse(json).map(({ Id }) => inspectContainer(Id)));
		return found.filter((status) => status !== null);
	}

	async function followEvents(onEvent: (event: EngineEvent) => void, signal: AbortSignal, onOpen: () => void) {
		const filters = encodeFilters({ type: ["container"], label: [labels.project], event: [...watchedActions] });
		const stream = await http.follow(`/events?filters=${filters}`, signal);
		onOpen();
		const lines = createLineReader();
		for await (const part of stream) {
			for (const line of lines.push(part as Buffer)) {
				const event = readEvent(line);
				if (event) onEvent(event);
			}
		}
	}

	return {
		async ping() {
			await http.call({ method: "GET", path: "/_ping" });
		},

		async hasImage(reference) {
			const path = `/images/${encodeURIComponent(reference)}/json`;
			return (await http.call({ method: "GET", path, accept: [notFound] })).status !== notFound;
		},

		async importImage(archive, reference) {
			const { repository, tag } = splitReference(reference);
			const query = new URLSearchParams({ fromSrc: "-", repo: repository, tag });
			// Progress comes as lines of JSON with status 200, also when the import fails half-way.
			const answer = await http.upload(`/images/create?${query}`, createReadStream(archive));
			for (const line of createLineReader().push(Buffer.from(`${answer}\n`))) {
				const { error } = ImportProgress.parse(JSON.parse(line));
				if (error !== undefined) throw new EngineError(500, error);
			}
		},

		async createContainer(specification, home) {
			const body = containerBody(specification, home, options.runtime);
			const { json } = await http.call({ method: "POST", path: "/containers/create", body });
			return { id: Created.parse(json).Id };
		},

		async startContainer(id, meanwhile) {
			await http.call({ method: "POST", path: containerPath(id, "/start"), accept: [notModified] });
			const status = await inspectContainer(id);
			if (!status || status.pid === 0) return status;
			await Promise.all([protectPlaceholder(status.pid), boundContainer(status.pid), meanwhile?.(status)]);
			return status;
		},

		async stopContainer(id, timeoutMs) {
			const seconds = Math.ceil(timeoutMs / 1000);
			const path = containerPath(id, `/stop?t=${seconds}`);
			await http.call({ method: "POST", path, accept: [notModified, notFound], timeoutMs: timeoutMs + 60_000 });
		},

		async pauseContainer(id) {
			await http.call({ method: "POST", path: containerPath(id, "/pause") });
		},

		async unpauseContainer(id) {
			await http.call({ method: "POST", path: containerPath(id, "/unpause") });
		},

		async removeContainer(id) {
			// A removal that is already under way answers 409; it is waited for below either way.
			const path = containerPath(id, "?force=1&v=1");
			const { status } = await http.call({ method: "DELETE", path, accept: [notFound, conflict] });
			if (status !== conflict) return;
			const waiting = containerPath(id, "/wait?condition=removed");
			await http.call({ method: "POST", path: waiting, accept: [notFound] });
		},

		inspectContainer,
		listContainers,

		watchEvents(onEvent, signal) {
			const backoff = createBackoff(100, 5_000);
			const reconnect = (error?: unknown) => {
				if (signal.aborted) return;
				if (error) options.log.warn({ err: error }, "the engine's events broke off; asking again");
				const timer = setTimeout(follow, backoff.nextMs());
				signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
			};
			const follow = () => {
				followEvents(onEvent, signal, backoff.reset).then(() => reconnect(), reconnect);
			};
			follow();
		},

		async createExec(containerId, specification) {
			const { command, size } = specification;
			const isUnsized = size !== undefined && (await http.minorVersion()) < sizesTerminalsFrom;
			const body = {
				Cmd: isUnsized && command[0] === shell ? inSize(size, command) : command,
				Env: Object.entries(specification.environment).map(([name, value]) => `${name}=${value}`),
				WorkingDir: specification.workingDirectory,
				Tty: specification.tty,
				AttachStdin: true,
				AttachStdout: true,
				AttachStderr: true,
				...(size ? { ConsoleSize: [size.rows, size.columns] } : {}),
			};
			const { json } = await http.call({ method: "POST", path: containerPath(containerId, "/exec"), body });
			return { execId: Created.parse(json).Id };
		},

		async startExec(execId, tty) {
			const socket = await http.hijack(execPath(execId, "/start"), { Detach: false, Tty: tty });
			// Whoever uses the stream sees it close; unheard, the error would end the agent.
			socket.on("error", (error) => options.log.warn({ err: error, execId }, "an exec's connection broke off"));
			return { output: socket, input: socket, close: () => void socket.destroy() };
		},

		async resizeExec(execId, columns, rows) {
			const path = execPath(execId, `/resize?w=${columns}&h=${rows}`);
			await http.call({ method: "POST", path, timeoutMs: resizeWithinMs });
		},

		async inspectExec(execId) {
			const { json } = await http.call({ method: "GET", path: execPath(execId, "/json") });
			const exec = InspectedExec.parse(json);
			return { running: exec.Running, exitCode: exec.ExitCode, pid: exec.Pid };
		},
	};
}

/**
 * The command in a terminal that sets its size first. The engine's own resize comes only after the start, when a program
 * may have asked already and been told 0 by 0. For shells alone: of others the engine tells better why one did not start.
 */
function inSize({ columns, rows }: { columns: number; rows: number }, command: readonly string[]): string[] {
	const script = 'stty rows "$1" columns "$2"; shift 2; exec "$@"';
	return ["/bin/sh", "-c", script, "sh", String(rows), String(columns), ...command];
}

function readEvent(line: string): EngineEvent | null {
	const { Action, Actor } = Event.parse(JSON.parse(line));
	const action = watchedActions.find((watched) => watched === Action);
	const projectId = Actor.Attributes[labels.project];
	return action && projectId !== undefined ? { action, containerId: Actor.ID, projectId } : null;
}

/** Ids come from the engine, but a stray `/` must never reach another endpoint. */
function containerPath(id: string, rest: string): string {
	return `/containers/${encodeURIComponent(id)}${rest}`;
}

function execPath(id: string, rest: string): string {
	return `/exec/${encodeURIComponent(id)}${rest}`;
}

function encodeFilters(filters: Record<string, readonly string[]>): string {
	return encodeURIComponent(JSON.stringify(filters));
}

function splitReference(reference: string): { repository: string; tag: string } {
	const colon = reference.lastIndexOf(":");
	if (colon <= reference.lastIndexOf("/")) return { repository: reference, tag: "latest" };
	return { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) };
}
