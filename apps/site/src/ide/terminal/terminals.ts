import type { PtyState, Rights } from "@repldock/protocol";
import { consolePtyId } from "@repldock/protocol/constants";
import type { AccessKeeper } from "../connection/access.ts";
import type { NodeClient } from "../connection/node-client.ts";
import { createStore, type Store } from "../store.ts";
import { createTerminalSession, type TerminalSession } from "./session.ts";

/** The project's terminals as the node tells them, and this page's sessions of them. */
export type Terminals = {
	/** Ids of the terminals (not the console), in the order in which they were opened. */
	list: Pick<Store<readonly string[]>, "get" | "subscribe">;
	/** The session of a PTY; made when it is asked for first. */
	attach(ptyId: string): TerminalSession;
	/** @throws ProblemError when the node cannot open one. */
	create(): Promise<string>;
	remove(ptyId: string): Promise<void>;
	follow(ptys: readonly PtyState[]): void;
	close(): void;
};

type Options = { access: AccessKeeper; node: NodeClient; rights: Pick<Store<Rights | null>, "get"> };

export function createTerminals(options: Options): Terminals {
	const list = createStore<readonly string[]>([]);
	const sessions = new Map<string, TerminalSession>();

	function attach(ptyId: string): TerminalSession {
		const known = sessions.get(ptyId);
		if (known) return known;
		const made = createTerminalSession({
			ptyId,
			label: ptyId === consolePtyId ? "Console output" : "Terminal",
			access: options.access,
			readOnly: () => options.rights.get() === "view",
		});
		sessions.set(ptyId, made);
		return made;
	}
	function drop(ptyId: string): void {
		sessions.get(ptyId)?.dispose();
		sessions.delete(ptyId);
	}

	return {
		list,
		attach,
		async create() {
			const shown = [...sessions.values()].at(-1);
			const { ptyId } = await options.node.createTerminal(shown?.size() ?? { columns: 80, rows: 24 });
			if (!list.get().includes(ptyId)) list.set([...list.get(), ptyId]);
			return ptyId;
		},
		async remove(ptyId) {
			list.set(list.get().filter((id) => id !== ptyId));
			drop(ptyId);
			await options.node.closePty(ptyId);
		},
		follow(ptys) {
			const ids = ptys.filter((pty) => pty.kind === "terminal").map((pty) => pty.ptyId);
			if (ids.join("\n") !== list.get().join("\n")) list.set(ids);
			for (const ptyId of sessions.keys()) {
				if (ptyId !== consolePtyId && !ids.includes(ptyId)) drop(ptyId);
			}
			// The console may not have been there at the first dial; the next one need not wait for its turn.
			if (ptys.some((pty) => pty.ptyId === consolePtyId)) sessions.get(consolePtyId)?.wake();
		},
		close() {
			for (const ptyId of [...sessions.keys()]) drop(ptyId);
		},
	};
}
