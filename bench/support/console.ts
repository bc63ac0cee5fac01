import { PtyClient } from "../../tests/support/pty-client.ts";
import type { WorkspaceClient } from "../../tests/support/workspace-client.ts";

/** A PTY's client, and the moment at which output arrived, not rounded by any polling. */
export interface TimedPty {
	/** Settles when the socket is open and the PTY has greeted. */
	opened: Promise<PtyClient>;
	/** Settles with the time (of `performance.now()`) of the next message whose bytes hold this text. */
	arrival(text: string): Promise<number>;
}

/** @param after Output up to this offset is known and does not come again. */
export function attachTimed(workspace: WorkspaceClient, ptyId: string, after?: number): TimedPty {
	const socket = workspace.socket(`/ptys/${ptyId}${after === undefined ? "" : `?after=${after}`}`);
	let wanted: { text: string; found(atMs: number): void } | undefined;
	socket.on("message", (data, isBinary) => {
		const atMs = performance.now();
		if (!isBinary || !wanted || !(data as Buffer).includes(wanted.text)) return;
		const { found } = wanted;
		wanted = undefined;
		found(atMs);
	});
	return {
		opened: PtyClient.attach(socket, ptyId),
		arrival: (text) =>
			new Promise((found) => {
				wanted = { text, found };
			}),
	};
}
