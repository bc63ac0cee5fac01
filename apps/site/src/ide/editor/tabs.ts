import type { Documents } from "../documents/documents.ts";
import type { Memory } from "../remembered.ts";
import { createStore, type Store } from "../store.ts";

export type TabsState = { paths: readonly string[]; active: string | null };

/** Which files are open, and which of them is shown. Remembered by the browser. */
export type EditorTabs = {
	state: Pick<Store<TabsState>, "get" | "subscribe">;
	open(path: string): void;
	/** Closes a tab; its neighbour is shown then. */
	closeTab(path: string): void;
	/** A file or directory was moved or removed (`to` is null), here or by a program. */
	fileMoved(from: string, to: string | null): void;
	close(): void;
};

export function createTabs({ documents, memory }: { documents: Documents; memory: Memory }): EditorTabs {
	const { tabs, activeTab } = memory.get();
	const state = createStore<TabsState>({ paths: tabs, active: activeTab ?? tabs[0] ?? null });
	const stop = state.subscribe(() => memory.change({ tabs: [...state.get().paths], activeTab: state.get().active }));

	function closeTab(path: string): void {
		const { paths, active } = state.get();
		const index = paths.indexOf(path);
		if (index < 0) return;
		const left = paths.filter((each) => each !== path);
		state.set({ paths: left, active: active === path ? (left[index] ?? left[index - 1] ?? null) : active });
		documents.close(path);
	}
	return {
		state,
		open(path) {
			const { paths } = state.get();
			state.set({ paths: paths.includes(path) ? paths : [...paths, path], active: path });
		},
		closeTab,
		fileMoved(from, to) {
			const { paths, active } = state.get();
			if (to === null) {
				for (const path of paths) if (path === from || path.startsWith(`${from}/`)) closeTab(path);
				return;
			}
			const moved = (path: string) =>
				path === from || path.startsWith(`${from}/`) ? to + path.slice(from.length) : path;
			const next = [...new Set(paths.map(moved))];
			if (next.join("\0") === paths.join("\0")) return;
			state.set({ paths: next, active: active === null ? null : moved(active) });
		},
		close: stop,
	};
}
