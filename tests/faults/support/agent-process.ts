import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { DocumentClient } from "../../../apps/node/src/workspace/documents/document-client.ts";
import type { RemoteDocuments } from "../../../apps/node/test/workspace/rig.ts";
import type { AgentCalls, AgentEvent, AgentSettings, FromAgent, ToAgent } from "./agent-messages.ts";
import type { PageConnection } from "./typist.ts";

const program = fileURLToPath(new URL("agent.ts", import.meta.url));

/** A storage agent that runs as a process of its own. */
export interface AgentProcess {
	readonly pid: number;
	/** As the site knows it. */
	readonly nodeId: string;
	/** @throws Error when it refuses, or dies before it answers. */
	call<Name extends keyof AgentCalls>(
		name: Name,
		argument: Parameters<AgentCalls[Name]>[0],
	): Promise<ReturnType<AgentCalls[Name]>>;
	/** What a page of the project holds on to. */
	connection(projectId: string): PageConnection;
	/** kill -9. Returns when it is gone and all that it had told is heard. */
	kill(): Promise<void>;
}

let lastClient = 0;

/** @returns once it is registered at the site. */
export async function startAgent(settings: AgentSettings, kill?: AbortSignal): Promise<AgentProcess> {
	const child: ChildProcess = fork(program, [JSON.stringify(settings)], {
		serialization: "advanced",
		execArgv: ["--max-old-space-size=512"],
	});
	const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
	const pages = new Map<number, DocumentClient>();
	const listeners: ((event: AgentEvent) => void)[] = [];
	let lastCall = 0;
	kill?.addEventListener("abort", () => child.kill("SIGKILL"));
	const gone = Promise.all([once(child, "exit"), once(child, "disconnect")]);

	const ready = new Promise<string>((resolve, reject) => {
		listeners.push((event) => event.type === "ready" && resolve(event.nodeId));
		void gone.then(() => {
			const error = new Error(`the agent ${settings.name} ended`);
			reject(error);
			for (const { reject } of waiting.values()) reject(error);
			waiting.clear();
		});
	});

	child.on("message", (message: FromAgent) => {
		if (message.type === "reply") {
			const asked = waiting.get(message.call);
			waiting.delete(message.call);
			if (message.problem === undefined) asked?.resolve(message.result);
			else asked?.reject(new Error(`${settings.name}: ${message.problem}`));
			return;
		}
		for (const listener of listeners) listener(message);
		if (message.type === "page") pages.get(message.client)?.send(message.event);
		if (message.type === "pageFrame") pages.get(message.client)?.sendFrame(message.bytes);
	});

	function send(name: keyof AgentCalls, argument: unknown): Promise<unknown> {
		return new Promise((resolve, reject) => {
			if (!child.connected) return reject(new Error(`the agent ${settings.name} has ended`));
			lastCall += 1;
			waiting.set(lastCall, { resolve, reject });
			child.send({ call: lastCall, name, argument } satisfies ToAgent, () => undefined);
		});
	}

	const nodeId = await ready;
	function documents(projectId: string): RemoteDocuments {
		const numbers = new Map<DocumentClient, number>();
		const numberOf = (client: DocumentClient) => {
			const known = numbers.get(client);
			if (known !== undefined) return known;
			lastClient += 1;
			numbers.set(client, lastClient);
			pages.set(lastClient, client);
			return lastClient;
		};
		// What a page sends to an agent that died is lost, and the page sends it again.
		const lost = () => undefined;
		return {
			open: (client, path) => send("openDocument", { projectId, client: numberOf(client), path }).then(lost, lost),
			receive: (client, bytes) => void send("frame", { projectId, client: numberOf(client), bytes }).catch(lost),
			leave: (client) => void send("leave", { projectId, client: numberOf(client) }).catch(lost),
		};
	}

	const agent: AgentProcess = {
		nodeId,
		pid: child.pid ?? 0,
		call: (name, argument) => send(name, argument) as ReturnType<typeof agent.call<typeof name>>,
		connection: (projectId) => ({
			documents: documents(projectId),
			listen({ saved, durable }) {
				listeners.push((event) => {
					if (event.type === "page" && event.event.type === "documentSaved") saved(event.event.stateVector, event.atMs);
					if (event.type === "durability" && event.projectId === projectId) durable(event.durability.upTo);
				});
			},
		}),
		async kill() {
			child.kill("SIGKILL");
			await gone;
		},
	};
	return agent;
}
