import { createServer } from "node:http";
import type { Gateway } from "./gateway/gateway.ts";
import { listen } from "./holder/listen.ts";

/** Longest time that one request may take to arrive. */
const uploadMostMs = 6 * 60 * 60 * 1000;

/** Opens the agent's socket to the edge; returns what closes it, and what is open on it. */
export async function serveGateway(gateway: Gateway, socketPath: string, user: string): Promise<() => Promise<void>> {
	// The edge gives up on clients that fall silent; an upload that goes on may take hours on a slow line.
	const server = createServer({ requestTimeout: uploadMostMs });
	gateway.attach(server);
	// Only root and the edge's workers can open it.
	await listen(server, socketPath, 0o660, user);
	return async () => {
		gateway.close();
		await new Promise<void>((resolve) => {
			server.close(() => resolve());
			server.closeIdleConnections();
			setTimeout(() => server.closeAllConnections(), 1_000).unref();
		});
	};
}
