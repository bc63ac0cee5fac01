import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, request } from "node:http";
import { join } from "node:path";
import { z } from "zod";

/**
 * The supervisor's own socket, for `status`, `down` and `restart` typed in another terminal.
 *   GET /status → InstanceStatus; POST /stop → 202; POST /restart/<service> → 204; POST /operator-link → { url }
 */
export const InstanceStatus = z.object({
	version: z.string(),
	phase: z.enum(["starting", "running", "stopping", "failed"]),
	/** What is being done, or what went wrong, for people. */
	message: z.string(),
	siteUrl: z.string(),
	data: z.string(),
	supervisorPid: z.int(),
	startedAt: z.string(),
	services: z.array(
		z.object({
			name: z.string(),
			title: z.string(),
			state: z.enum(["starting", "running", "restarting", "stopped"]),
			pid: z.int().nullable(),
			restarts: z.int(),
		}),
	),
});
export type InstanceStatus = z.infer<typeof InstanceStatus>;

export interface ControlHandlers {
	status(): InstanceStatus;
	stop(): void;
	restart(service: string): Promise<void>;
	operatorLink(): Promise<string>;
}

const socketPath = (run: string) => join(run, "supervisor.sock");

export async function serveControl(run: string, handlers: ControlHandlers): Promise<{ close(): Promise<void> }> {
	const path = socketPath(run);
	await rm(path, { force: true });
	const server = createServer((incoming, outgoing) => {
		const answer = (status: number, body?: unknown) => {
			outgoing.writeHead(status, { "content-type": "application/json" });
			outgoing.end(body === undefined ? "" : JSON.stringify(body));
		};
		const fail = (error: unknown) => answer(500, { message: error instanceof Error ? error.message : String(error) });
		const call = `${incoming.method} ${incoming.url}`;
		if (call === "GET /status") return answer(200, handlers.status());
		if (call === "POST /stop") {
			answer(202);
			return handlers.stop();
		}
		if (call === "POST /operator-link") {
			return void handlers.operatorLink().then((url) => answer(200, { url }), fail);
		}
		const restart = /^POST \/restart\/([a-z-]+)$/.exec(call);
		if (restart?.[1]) return void handlers.restart(restart[1]).then(() => answer(204), fail);
		answer(404);
	});
	const mask = process.umask(0o077);
	await new Promise<void>((resolve, reject) => {
		server.once("error", reject);
		server.listen(path, resolve);
	});
	process.umask(mask);
	return {
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			}),
	};
}

const goneCodes = new Set(["ECONNREFUSED", "ENOENT", "EPIPE", "ECONNRESET"]);

/** @returns null when no supervisor runs for this data directory. @throws Error with the supervisor's sentence. */
export async function callControl(run: string, method: "GET" | "POST", path: string): Promise<unknown> {
	const socket = socketPath(run);
	if (!existsSync(socket)) return null;
	return new Promise((resolve, reject) => {
		const outgoing = request({ socketPath: socket, method, path }, (incoming) => {
			const chunks: Buffer[] = [];
			incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
			incoming.on("end", () => {
				const text = Buffer.concat(chunks).toString();
				const body: unknown = text ? JSON.parse(text) : {};
				if ((incoming.statusCode ?? 500) < 400) return resolve(body);
				reject(new Error(z.object({ message: z.string() }).safeParse(body).data?.message ?? "The supervisor refused."));
			});
		});
		outgoing.on("error", (error: NodeJS.ErrnoException) => {
			// The last two: it took the call, and ended before it answered.
			if (goneCodes.has(error.code ?? "")) resolve(null);
			else reject(error);
		});
		outgoing.end();
	});
}

export async function readStatus(run: string): Promise<InstanceStatus | null> {
	const body = await callControl(run, "GET", "/status");
	return body === null ? null : InstanceStatus.parse(body);
}
