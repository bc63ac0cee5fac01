import type { Problem } from "@repldock/protocol";
import type { NodeClient } from "../connection/node-client.ts";
import { ProblemError, problemOf } from "../connection/problem.ts";
import { createStore, type Store } from "../store.ts";
import type { DroppedFile } from "./dropped-entries.ts";
import { ancestorsOf, joinPath } from "./paths.ts";

export type UploadState = {
	files: number;
	doneFiles: number;
	totalBytes: number;
	sentBytes: number;
	/** A file of this path exists; the upload waits for an answer. */
	conflict: string | null;
	problem: Problem | null;
};

export type ConflictAnswer = "replace" | "replaceAll" | "skip" | "skipAll";

export type Uploads = {
	/** Null while nothing is uploaded. */
	state: Pick<Store<UploadState | null>, "get" | "subscribe">;
	/** Uploads into a directory, one file after another. */
	start(directory: string, files: readonly DroppedFile[]): Promise<void>;
	answer(answer: ConflictAnswer): void;
	/** Ends the upload under way, or takes a finished one's message away. */
	cancel(): void;
};

export function createUploads(node: NodeClient): Uploads {
	const state = createStore<UploadState | null>(null);
	let abort = new AbortController();
	let answered: (answer: ConflictAnswer) => void = () => {};
	const change = (next: Partial<UploadState>) => {
		const now = state.get();
		if (now) state.set({ ...now, ...next });
	};

	async function uploadAll(directory: string, files: readonly DroppedFile[], signal: AbortSignal): Promise<void> {
		const made = new Set<string>();
		let always: "replaceAll" | "skipAll" | null = null;
		let sentBefore = 0;
		for (const [index, { path, file }] of files.entries()) {
			if (signal.aborted) return;
			const target = joinPath(directory, path);
			for (const above of ancestorsOf(path)) await makeDirectory(node, joinPath(directory, above), made);
			const send = (overwrite: boolean) =>
				node.upload(target, file, {
					overwrite,
					signal,
					onProgress: (sentBytes) => change({ sentBytes: sentBefore + sentBytes }),
				});
			try {
				await send(always === "replaceAll");
			} catch (error) {
				if (!(error instanceof ProblemError) || error.problem.code !== "already_exists") throw error;
				const answer: ConflictAnswer = always ?? (await ask(target));
				if (answer === "replaceAll" || answer === "skipAll") always = answer;
				if (!signal.aborted && answer.startsWith("replace")) await send(true);
			}
			sentBefore += file.size;
			change({ doneFiles: index + 1, sentBytes: sentBefore });
		}
	}
	function ask(path: string): Promise<ConflictAnswer> {
		change({ conflict: path });
		return new Promise((resolve) => {
			answered = (answer) => {
				change({ conflict: null });
				resolve(answer);
			};
		});
	}

	return {
		state,
		async start(directory, files) {
			if (files.length === 0 || (state.get() && !state.get()?.problem)) return;
			abort = new AbortController();
			const totalBytes = files.reduce((sum, { file }) => sum + file.size, 0);
			state.set({ files: files.length, doneFiles: 0, totalBytes, sentBytes: 0, conflict: null, problem: null });
			try {
				await uploadAll(directory, files, abort.signal);
				state.set(null);
			} catch (error) {
				if (abort.signal.aborted) state.set(null);
				else change({ problem: problemOf(error), conflict: null });
			}
		},
		answer: (answer) => answered(answer),
		cancel() {
			abort.abort();
			answered("skipAll");
			state.set(null);
		},
	};
}

async function makeDirectory(node: NodeClient, path: string, made: Set<string>): Promise<void> {
	if (made.has(path)) return;
	try {
		await node.createDirectory(path);
	} catch (error) {
		if (!(error instanceof ProblemError) || error.problem.code !== "already_exists") throw error;
	}
	made.add(path);
}
