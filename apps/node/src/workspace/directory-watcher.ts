import { RepldockError } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { ProjectFiles, StopWatching } from "../host-files.ts";

/** Watches a changing set of a project's directories and tells, a little collected, which of their entries changed. */
export interface DirectoryWatcher {
	/** Replaces the set of watched directories. Those that are not there are watched once they appear. */
	watch(directories: ReadonlySet<string>): void;
	close(): void;
}

/** Changes within this time are told together. */
const collectMs = 50;

export function createDirectoryWatcher(options: {
	files: ProjectFiles;
	log: Logger;
	/** `names` null: anything in it may have changed. */
	onChange(directory: string, names: ReadonlySet<string> | null): void;
}): DirectoryWatcher {
	const { files, log } = options;
	let wanted: ReadonlySet<string> = new Set();
	const watches = new Map<string, StopWatching>();
	/** Directories whose watch is being set up. */
	const starting = new Set<string>();
	const changed = new Map<string, Set<string> | null>();
	let timer: NodeJS.Timeout | undefined;
	let closed = false;

	function note(directory: string, name: string | null) {
		const names = changed.get(directory);
		if (name === null) changed.set(directory, null);
		else if (names === undefined) changed.set(directory, new Set([name]));
		else names?.add(name);
		timer ??= setTimeout(tell, collectMs);
	}

	function tell() {
		timer = undefined;
		const told = [...changed];
		changed.clear();
		for (const [directory, names] of told) {
			// A changed entry may be a watched directory that was removed, or made anew.
			for (const path of wanted) if (isEntryOf(path, directory, names)) restart(path);
			options.onChange(directory, names);
		}
	}

	function restart(directory: string) {
		watches.get(directory)?.();
		watches.delete(directory);
		void start(directory);
	}

	async function start(directory: string): Promise<void> {
		if (starting.has(directory) || watches.has(directory)) return;
		starting.add(directory);
		try {
			const stop = await files.watchDirectory(directory, (name) => {
				// The directory itself is gone; perhaps another one has its name now.
				if (name === null) restart(directory);
				note(directory, name);
			});
			if (closed || !wanted.has(directory)) {
				stop();
				return;
			}
			watches.set(directory, stop);
			// What changed before the watch was in place.
			note(directory, null);
		} catch (error) {
			if (!(error instanceof RepldockError)) log.warn({ err: error }, "a directory could not be watched");
		} finally {
			starting.delete(directory);
		}
	}

	return {
		watch(directories) {
			wanted = new Set(directories);
			for (const [directory, stop] of watches) {
				if (wanted.has(directory)) continue;
				stop();
				watches.delete(directory);
			}
			for (const directory of wanted) void start(directory);
		},

		close() {
			closed = true;
			clearTimeout(timer);
			for (const stop of watches.values()) stop();
			watches.clear();
		},
	};
}

function isEntryOf(path: string, directory: string, names: ReadonlySet<string> | null): boolean {
	if (path === "") return false;
	const end = path.lastIndexOf("/");
	const parent = end === -1 ? "" : path.slice(0, end);
	return parent === directory && names !== null && names.has(path.slice(end + 1));
}
