import type { ImportDone, Problem } from "@repldock/protocol";
import { problemOf } from "../connection/problem.ts";
import { createStore, type Store } from "../store.ts";
import { archiveName, type Transfers } from "./transfers.ts";

export type UnpackingState = {
	name: string;
	/** 0 to 1 while it is sent; null while the node unpacks. */
	sent: number | null;
	problem: Problem | null;
};

/** The archive that is being unpacked into a folder, one at a time. */
export type Unpacking = {
	state: Pick<Store<UnpackingState | null>, "get" | "subscribe">;
	/** From the person's computer into a new folder. @returns null when it was refused or cancelled. */
	upload(folder: string, file: File): Promise<ImportDone | null>;
	/** One that is in the project, beside itself. */
	unpack(path: string, name: string): Promise<ImportDone | null>;
	/** Ends an upload, or takes the message away. */
	cancel(): void;
};

export function createUnpacking(transfers: Transfers): Unpacking {
	const state = createStore<UnpackingState | null>(null);
	let abort = new AbortController();

	async function attempt(name: string, work: (signal: AbortSignal) => Promise<ImportDone>): Promise<ImportDone | null> {
		const now = state.get();
		if (now && !now.problem) return null;
		const mine = new AbortController();
		abort = mine;
		state.set({ name, sent: null, problem: null });
		try {
			const done = await work(mine.signal);
			if (abort === mine) state.set(null);
			return done;
		} catch (error) {
			if (!mine.signal.aborted) state.set({ name, sent: null, problem: problemOf(error) });
			return null;
		}
	}

	return {
		state,
		upload: (folder, file) =>
			attempt(file.name, (signal) =>
				transfers.upload(
					file,
					{ into: "folder", folder, name: archiveName(file.name).slice(0, 200) },
					{
						signal,
						onProgress(sentBytes) {
							const sent = sentBytes >= file.size ? null : sentBytes / file.size;
							if (!signal.aborted) state.set({ name: file.name, sent, problem: null });
						},
					},
				),
			),
		unpack: (path, name) => attempt(name, () => transfers.unpack(path)),
		cancel() {
			abort.abort();
			state.set(null);
		},
	};
}
