import type { OpenPort } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { ListeningPort } from "../host.ts";

/** Keeps servers that listen on a container's loopback address alone within reach, where `.replit` exposes them. */
export interface LoopbackPorts {
	/** Resolves when the edge can reach these ports of the container that runs now, or cannot be helped to. */
	follow(ports: readonly number[]): Promise<void>;
	/** Whether `follow` would have something to do. */
	differs(ports: readonly number[]): boolean;
}

export function createLoopbackPorts(options: {
	log: Logger;
	/** Host process id of the container's init; undefined while none runs. */
	containerPid(): number | undefined;
	expose(containerPid: number, ports: readonly number[]): Promise<void>;
}): LoopbackPorts {
	/** What the container with this init was last told; a new one starts with nothing. */
	let told: { pid: number | undefined; ports: string } = { pid: undefined, ports: "" };
	let last: Promise<void> = Promise.resolve();

	function differs(ports: readonly number[]): boolean {
		const before = told.pid === options.containerPid() ? told.ports : "";
		return ports.join() !== before;
	}

	async function tell(ports: readonly number[]): Promise<void> {
		const pid = options.containerPid();
		if (pid === undefined || !differs(ports)) return;
		told = { pid, ports: ports.join() };
		try {
			await options.expose(pid, ports);
		} catch (error) {
			// Visitors see that the app does not answer; the next change tries again.
			options.log.warn({ err: error, ports }, "servers on the loopback address were not exposed");
			told = { pid, ports: "" };
		}
	}

	return {
		differs,
		follow(ports) {
			last = last.then(() => tell(ports));
			return last;
		},
	};
}

/** Those of the ports that visitors may reach on which only the container itself is answered. */
export function exposedLoopback(open: readonly OpenPort[], listening: readonly ListeningPort[]): number[] {
	const loopback = new Set(listening.filter(({ loopbackOnly }) => loopbackOnly).map(({ port }) => port));
	return open.filter(({ port, externals }) => externals.length > 0 && loopback.has(port)).map(({ port }) => port);
}
