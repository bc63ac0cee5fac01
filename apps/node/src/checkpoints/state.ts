import type { Checkpoint } from "@repldock/protocol";
import { createReports } from "./reports.ts";
import { type Durable, readCheckpoints, writeCheckpoints } from "./state-file.ts";

/** What this node knows of its checkpoints, in memory and on disk. */
export interface CheckpointState {
	/** The latest durable checkpoint by project. */
	durable: Map<string, Durable>;
	/** Why a project's latest work is not durable, in a sentence. */
	problems: Map<string, string>;
	reports: ReturnType<typeof createReports>;
	/** When it returns, the state survives a loss of power. One call at a time. */
	save(): Promise<void>;
}

export async function openState(options: {
	stateFile: string;
	report(checkpoints: readonly Checkpoint[]): void;
}): Promise<CheckpointState> {
	const stored = await readCheckpoints(options.stateFile);
	const durable = new Map<string, Durable>(Object.entries(stored.durable));
	const reports = createReports(stored.unreported, options.report);
	return {
		durable,
		problems: new Map(),
		reports,
		save: () =>
			writeCheckpoints(options.stateFile, {
				durable: Object.fromEntries(durable),
				unreported: reports.unreported(),
			}),
	};
}

export function snapshotName({ generation, sequence }: { generation: number; sequence: number }): string {
	return `${generation}.${sequence}`;
}
