import { PassThrough } from "node:stream";
import type { PtySize } from "@repldock/protocol";
import type { Engine } from "../../src/host.ts";

/** An engine in which one program runs, for what no real one does on demand: its answers and its timing are the test's. */
export function engineOfOneProgram(resize: (size: PtySize) => Promise<void> = async () => undefined) {
	const output = new PassThrough();
	const parts: Partial<Engine> = {
		inspectContainer: async (id) => ({
			id,
			projectId: "p",
			generation: 1,
			slug: "demo",
			state: "running",
			pid: process.pid,
			address: null,
			hardwareAddress: null,
			image: "i",
			outOfMemory: false,
			home: null,
		}),
		createExec: async () => ({ execId: "e" }),
		startExec: async () => ({ output, input: new PassThrough(), close: () => void output.destroy() }),
		inspectExec: async () => ({ running: false, exitCode: 0, pid: 0 }),
		resizeExec: (_id, columns, rows) => resize({ columns, rows }),
	};
	return { engine: parts as Engine, output, end: () => output.end() };
}

export const startMessage = {
	projectId: "p",
	ptyId: "terminal-1",
	kind: "terminal" as const,
	title: "Terminal",
	containerId: "c",
	command: ["bash"],
	environment: {},
	workingDirectory: "/",
	size: { columns: 80, rows: 24 },
};
