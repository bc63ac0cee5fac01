import { closeSync, watch } from "node:fs";
import type { StopWatching } from "../../host-files.ts";
import { descriptorPath, openDirectory, ownNamePrefix } from "./resolve.ts";

/**
 * Tells of changes to a directory's entries: made, removed, renamed, written. The watch stays with the directory, also
 * when it is moved; `null` is told when the directory itself is gone and nothing more will come.
 * @param onChange called with the entry's name.
 */
export function watchDirectory(root: string, path: string, onChange: (name: string | null) => void): StopWatching {
	const fd = openDirectory(root, path);
	try {
		// The kernel binds the watch to the directory that the descriptor names; then the descriptor is not needed.
		const watcher = watch(descriptorPath(fd), { persistent: false });
		let stopped = false;
		const stop = () => {
			if (stopped) return;
			stopped = true;
			watcher.close();
		};
		watcher.on("change", (_event, name) => {
			const text = name === null ? "" : String(name);
			// What happens to the directory itself comes under the last part of the watched path, a number here.
			if (text === "" || text === String(fd)) onChange(null);
			else if (!text.startsWith(ownNamePrefix)) onChange(text);
		});
		watcher.on("error", () => {
			stop();
			onChange(null);
		});
		return stop;
	} finally {
		closeSync(fd);
	}
}
