import type { WorkspaceEvent } from "@repldock/protocol";
import type { WebSocket } from "ws";
import type { DocumentClient } from "../../../apps/node/src/workspace/documents/document-client.ts";
import type { WorkspaceClient } from "../../support/workspace-client.ts";
import type { PageConnection } from "./typist.ts";

/** A page's events socket through the edge, as the editor in the browser uses it. */
export async function openConnection(workspace: WorkspaceClient): Promise<PageConnection & { closed: Promise<void> }> {
	const socket: WebSocket = workspace.socket("/events");
	const listeners: ((event: WorkspaceEvent, atMs: number) => void)[] = [];
	let page: DocumentClient | undefined;
	const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
	// Told by `close` too, to those who wait for it.
	socket.on("error", () => undefined);

	socket.on("message", (data, isBinary) => {
		if (isBinary) return page?.sendFrame(data as Buffer);
		const event = JSON.parse(String(data)) as WorkspaceEvent;
		// Later than the agent said it: so nothing counts as saved too early.
		for (const listener of listeners) listener(event, Date.now());
		page?.send(event);
	});
	await Promise.race([
		new Promise<void>((resolve) => socket.once("open", () => resolve())),
		closed.then(() => Promise.reject(new Error("the events socket was refused"))),
	]);

	return {
		closed,
		documents: {
			async open(client, path) {
				page = client;
				const answered = new Promise<void>((resolve) => {
					listeners.push((event) => {
						const isAnswer = event.type === "documentOpened" || event.type === "documentRefused";
						// After the page has taken it in.
						if (isAnswer && event.path === path) queueMicrotask(resolve);
					});
				});
				socket.send(JSON.stringify({ type: "openDocument", path }));
				await Promise.race([answered, closed]);
			},
			receive: (_client, bytes) => socket.readyState === socket.OPEN && socket.send(bytes),
			leave: () => socket.close(),
		},
		listen({ saved, durable }) {
			listeners.push((event, atMs) => {
				if (event.type === "documentSaved") saved(event.stateVector, atMs);
				if (event.type === "state") durable(event.state.durability.upTo);
			});
		},
	};
}
