import type { Problem, WorkspaceState } from "@repldock/protocol";
import { consolePtyId } from "@repldock/protocol/constants";
import type { NodeClient } from "../connection/node-client.ts";
import { problemOf } from "../connection/problem.ts";
import type { Documents } from "../documents/documents.ts";
import type { EditorTabs } from "../editor/tabs.ts";
import { createStore, type Store } from "../store.ts";
import type { Terminals } from "../terminal/terminals.ts";

export type RunState = {
	/** What was pressed and is not answered yet. */
	pending: "run" | "stop" | null;
	/** Why the last press did nothing. */
	problem: Problem | null;
	/** Sentences about `.replit` of the last run. */
	warnings: readonly string[];
	/** Rises with each run that was started here. */
	runs: number;
};

export type Runner = {
	state: Pick<Store<RunState>, "get" | "subscribe">;
	/** Runs the project, or one file by its language. */
	run(file?: string): Promise<void>;
	stop(): Promise<void>;
	/** Run when nothing runs, else Stop. */
	toggle(): Promise<void>;
	/** The person has read the problem or the warnings. */
	dismiss(): void;
};

type Options = {
	node: NodeClient;
	state: Pick<Store<WorkspaceState | null>, "get">;
	terminals: Terminals;
	tabs: EditorTabs;
	documents: Documents;
};

/** Edits reach the file within 200 ms; a run waits no longer than this for them. */
const mostWaitForSaveMs = 1_000;

export function createRunner(options: Options): Runner {
	const state = createStore<RunState>({ pending: null, problem: null, warnings: [], runs: 0 });
	const change = (next: Partial<RunState>) => state.set({ ...state.get(), ...next });

	async function run(file?: string): Promise<void> {
		if (state.get().pending) return;
		change({ pending: "run", problem: null, warnings: [] });
		try {
			await whenSaved(options.documents);
			const size = options.terminals.attach(consolePtyId).size();
			const started = await options.node.run({ ...size, ...(file === undefined ? {} : { file }) });
			options.terminals.attach(started.ptyId).wake();
			change({ pending: null, warnings: started.warnings, runs: state.get().runs + 1 });
		} catch (error) {
			change({ pending: null, problem: problemOf(error) });
		}
	}
	async function stop(): Promise<void> {
		if (state.get().pending) return;
		change({ pending: "stop", problem: null });
		try {
			await options.node.stop();
			change({ pending: null });
		} catch (error) {
			const problem = problemOf(error);
			// It ended by itself in the meantime, which is what was wanted.
			change({ pending: null, problem: problem.code === "not_running" ? null : problem });
		}
	}
	return {
		state,
		run,
		stop,
		toggle: () => (isRunning(options.state.get()) ? stop() : run()),
		dismiss: () => change({ problem: null, warnings: [] }),
	};
}

/** Whether the project's program runs. */
export function isRunning(state: WorkspaceState | null): boolean {
	return state?.ptys.some((pty) => pty.kind === "console" && pty.running) ?? false;
}

/** Resolves when all edits are in their files, or when that takes too long (the node says then why). */
function whenSaved(documents: Documents): Promise<void> {
	return new Promise((resolve) => {
		const finish = () => {
			clearTimeout(timer);
			stop();
			resolve();
		};
		const timer = setTimeout(finish, mostWaitForSaveMs);
		const stop = documents.status.subscribe(() => {
			if (documents.waiting() === 0) finish();
		});
		if (documents.waiting() === 0) finish();
	});
}
