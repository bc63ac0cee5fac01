import type { AgentProcess } from "./agent-process.ts";
import { createFileWriter, type FileWriter } from "./programs.ts";
import type { Random } from "./rounds.ts";
import { createTypist, type Typist } from "./typist.ts";

/** People and programs at work in one project. */
export interface Workers {
	readonly typists: readonly Typist[];
	readonly writer: FileWriter;
	/** Opens what they type into at an agent; call again after that died. */
	connect(agent: AgentProcess): Promise<void>;
	/** The agent is gone, and no page has noticed. */
	lose(): void;
	/** They work until this is done. */
	workDuring<T>(meanwhile: () => Promise<T>): Promise<T>;
	/** All that was typed is in the files. */
	untilSaved(): Promise<void>;
}

/** @param volume host path of the project's files. */
export function createWorkers(projectId: string, volume: string, random: Random): Workers {
	const typists = [createTypist("notes.txt"), ...(random.chance(0.4) ? [createTypist("main.py")] : [])];
	const writer = createFileWriter(volume, { isLarge: random.chance(0.3) });

	return {
		typists,
		writer,
		async connect(agent) {
			await Promise.all(typists.map((typist) => typist.connect(agent.connection(projectId))));
		},
		lose() {
			for (const typist of typists) typist.lose();
		},
		async workDuring(meanwhile) {
			const stop = new AbortController();
			const working = [...typists.map((typist) => typist.type(random, stop.signal)), writer.write(random, stop.signal)];
			try {
				return await meanwhile();
			} finally {
				stop.abort();
				await Promise.all(working);
			}
		},
		async untilSaved() {
			for (const typist of typists) await typist.untilSaved();
		},
	};
}
