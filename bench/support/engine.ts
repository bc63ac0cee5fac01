import { spawn } from "node:child_process";
import { request } from "node:http";
import { join } from "node:path";
import type { Duplex } from "node:stream";

/** What a bare container or exec must have in common with a project's. */
export interface BareContainer {
	id: string;
	image: string;
	/** The project's files on the machine, and where the container has them. */
	volume: string;
	directory: string;
	memoryBytes: number;
	cpus: number;
	pids: number;
}

interface Inspected {
	Config: { Image: string; Labels: Record<string, string> };
	HostConfig: { Memory: number; NanoCpus: number; PidsLimit: number };
}

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
		/** The project's container, as far as a bare one must be like it. */
		async containerOf(projectId: string): Promise<BareContainer> {
			const filters = encodeURIComponent(JSON.stringify({ label: [`repldock.project=${projectId}`] }));
			const [listed] = (await call("GET", `/containers/json?filters=${filters}`)) as { Id: string }[];
			if (!listed) throw new Error("the project has no container");
			const { Config, HostConfig } = (await call("GET", `/containers/${listed.Id}/json`)) as Inspected;
			const slug = Config.Labels["repldock.slug"];
			if (!slug) throw new Error("the project's container has no folder for its volume");
			return {
				id: listed.Id,
				image: Config.Image,
				volume: join(data, "volumes", projectId),
				directory: `/home/runner/${slug}`,
				memoryBytes: HostConfig.Memory,
				cpus: HostConfig.NanoCpus / 1e9,
				pids: HostConfig.PidsLimit,
			};
		},

		/** Milliseconds from the call to the first output byte of a command in a running container, with a TTY. */
		async execToFirstByte({ id, directory }: BareContainer, command: readonly string[]): Promise<number> {
			const startedAtMs = performance.now();
			const { Id } = (await call("POST", `/containers/${id}/exec`, {
				AttachStdin: true,
				AttachStdout: true,
				AttachStderr: true,
				Tty: true,
				WorkingDir: directory,
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

		/**
		 * Milliseconds from the start of Debian's `docker run` to the first output byte: plain runc, the engine's bridge,
		 * and the limits, volume and hardening of a project's container.
		 */
		runToFirstByte(container: BareContainer, command: readonly string[]): Promise<number> {
			const startedAtMs = performance.now();
			const child = spawn("/usr/bin/docker", dockerRunArguments(socketPath, container, command), {
				stdio: ["ignore", "pipe", "inherit"],
			});
			let tookMs: number | undefined;
			child.stdout.once("data", () => {
				tookMs = performance.now() - startedAtMs;
			});
			return new Promise((resolve, reject) => {
				child.once("error", reject);
				child.once("close", (code) => {
					if (tookMs === undefined) reject(new Error(`docker run ended with ${code} and printed nothing`));
					else resolve(tookMs);
				});
			});
		},
	};
}

function dockerRunArguments(socketPath: string, container: BareContainer, command: readonly string[]): string[] {
	const { image, volume, directory, memoryBytes, cpus, pids } = container;
	return [
		`--host=unix://${socketPath}`,
		...["run", "--rm", "--tty", "--init", "--runtime=runc", "--network=bridge", "--log-driver=none"],
		...["--user=1000:1000", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"],
		...[`--memory=${memoryBytes}`, `--memory-swap=${memoryBytes}`, `--cpus=${cpus}`, `--pids-limit=${pids}`],
		...["--tmpfs=/tmp", `--mount=type=bind,source=${volume},target=${directory}`, `--workdir=${directory}`],
		image,
		...command,
	];
}
