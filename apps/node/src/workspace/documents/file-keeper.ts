import type { Problem } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type * as Y from "yjs";
import type { ProjectFiles } from "../../host-files.ts";

/**
 * Keeps one Y.Doc and one file alike, whoever changes either. All work on the file goes through one queue, so that a
 * save, a look at the disk and a move never overlap.
 */
export interface FileKeeper {
	readonly doc: Y.Doc;
	/** Names the history; a client with another epoch's state must start afresh. */
	readonly epoch: string;
	path(): string;
	/** Whether every edit is in the file. */
	isSaved(): boolean;
	/** Why the file cannot be written; null while it can. */
	problem(): Problem | null;
	/** What is in the file. */
	savedStateVector(): Uint8Array;
	/** Bytes that the file had when it was last read or written. */
	savedBytes(): number;
	/** Bytes that the present text would take in the file. */
	measure(text: string): number;
	/** Takes a client's update, which was inspected. */
	apply(update: Uint8Array, origin: unknown): void;
	/** Something in the file's directory changed. */
	look(): void;
	/** Saves, then does the work while nothing is read or written here. */
	hold<T>(work: () => Promise<T>): Promise<T>;
	/** Only within `hold`: the file has another path now, or was removed with the person's will. */
	moved(path: string | null): void;
	/** There may be space again. */
	retry(): void;
	/** Saves what is unsaved; a failure is told by `onNotSaved`. */
	flush(): Promise<void>;
	/** Flushes and lets go. Unsaved edits stay in the journal. */
	close(): Promise<void>;
}

export interface FileKeeperOptions {
	files: ProjectFiles;
	/** Where journals are kept. */
	directory: string;
	path: string;
	log: Logger;
	onSaved(stateVector: Uint8Array): void;
	onNotSaved(problem: Problem): void;
	onMoved(path: string | null): void;
}
