import { request } from "node:http";
import { join } from "node:path";
import type { Duplex } from "node:stream";

/** The bare Engine API, for baselines: nothing of ours between the bench and the engine. */
export function createBareEngine(data: string) {
	const socketPath = join(data, "run/docker.sock");

	function call(method: string, path: string, body?: unknown): Promise<unknown> {
		const payload = body === undefined ? undefined : JSON.stringify(body);
		return new Promise((resolve, reject) => {
			const headers = payload
				? { "content-type": "application/json", "content-length": Buffer.byteLength(payload) }
				: {};
			const outgoing = request({ socketPath, method, path, headers }, (incoming) => {
				let text = "";
				incoming.setEncoding("utf8").on("data", (part: string) => {
					text += part;
				});
				incoming.on("end", () => {
					if ((incoming.statusCode ?? 500) >= 400) reject(new Error(`${method} ${path}: ${text}`));
					else resolve(text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : undefined);
				});
			});
			outgoing.on("error", reject);
			outgoing.end(payload);
		});
	}

	function hijack(path: string, body: unknown): Promise<Duplex> {
		const payload = JSON.stringify(body);
		return new Promise((resolve, reject) => {
			const outgoing = request({
				socketPath,
				method: "POST",
				path,
				headers: {
					"content-type": "application/json",
					"content-length": Buffer.byteLength(payload),
					connection: "Upgrade",
					upgrade: "tcp",
				},
			});
			outgoing.on("upgrade", (_response, socket, head) => {
				if (head.length > 0) socket.unshift(head);
				resolve(socket);
			});
			outgoing.on("response", (response) => reject(new Error(`the engine answered ${response.statusCode}`)));
			outgoing.on("error", reject);
			outgoing.end(payload);
		});
	}

	return {
		/** The project's container. */
		async containerOf(projectId: string): Promise<{ id: string; image: string }> {
			const filters = encodeURIComponent(JSON.stringify({ label: [`repldock.project=${projectId}`] }));
			const [container] = (await call("GET", `/containers/json?filters=${filters}`)) as { Id: string; Image: string }[];
			if (!container) throw new Error("the project has no container");
			return { id: container.Id, image: container.Image };
		},

		/** Milliseconds from the call to the first output byte of a command in a running container, with a TTY. */
		async execToFirstByte(containerId: string, command: string[]): Promise<number> {
			const startedAtMs = performance.now();
			const { Id } = (await call("POST", `/containers/${containerId}/exec`, {
				AttachStdin: true,
				AttachStdout: true,
				AttachStderr: true,
				Tty: true,
				Cmd: command,
			})) as { Id: string };
			const socket = await hijack(`/exec/${Id}/start`, { Detach: false, Tty: true });
			const tookMs = await new Promise<number>((resolve, reject) => {
				socket.once("data", () => resolve(performance.now() - startedAtMs));
				socket.once("error", reject);
			});
			await new Promise((resolve) => socket.once("close", resolve).resume());
			return tookMs;
		},
	};
}
