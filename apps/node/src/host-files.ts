import type { Readable } from "node:stream";
import type { DirectoryListing, FileEntry } from "@repldock/protocol";

/**
 * The files of one project as the agent may touch them. Paths are `ProjectPath` texts. What a hostile program can make
 * of them (links out, swaps while we look, FIFOs, devices, deep or huge trees) is refused or harmless.
 *
 * All throw RepldockError: `invalid_path` (not inside, a link out, no ordinary file), `file_not_found`,
 * `already_exists`, `file_too_large`, `quota_exceeded` (the project's), `disk_full` (the server's), `not_allowed`.
 */
export interface ProjectFiles {
	/** At most `limit` entries, directories first. */
	list(path: string, limit: number): Promise<DirectoryListing>;
	/** A link is told as a link. */
	stat(path: string): Promise<FileEntry>;
	readFile(path: string, options: { maxBytes: number }): Promise<Buffer>;
	/** For large files and ranges; the caller streams it or closes it. */
	openFile(path: string): Promise<OpenFile>;
	/** Replaces the whole content at once, or makes the file; links inside the project are followed. */
	writeFile(path: string, content: Uint8Array | string): Promise<FileEntry>;
	/** Takes an upload; missing folders are made. The stream is read to its end or destroyed. */
	receive(path: string, content: Readable, options: { overwrite: boolean; maxBytes?: number }): Promise<FileEntry>;
	/** Makes a folder and those above it. */
	makeDirectory(path: string): Promise<FileEntry>;
	/** Never replaces anything. */
	move(from: string, to: string): Promise<FileEntry>;
	/** Removes a file, a link itself, or a folder with all that is in it. */
	remove(path: string): Promise<void>;
	/** Tells of entries made, removed, renamed or written, by name; null when the directory itself is gone. */
	watchDirectory(path: string, onChange: (name: string | null) => void): Promise<StopWatching>;
}

/** A file that is open for reading. Exactly one of the two is to be called. */
export interface OpenFile {
	entry: FileEntry;
	/** Streams the bytes from `start` to `end`, both included, and closes the file at the end. */
	createReadStream(range?: { start: number; end: number }): Readable;
	close(): Promise<void>;
}

/** One entry of a tree that is walked. Names are bytes: they need not be UTF-8. */
export interface TreeEntry {
	/** From the root, with `/` between the names. */
	path: Buffer;
	kind: "file" | "directory" | "link";
	/** Permission bits alone: no setuid, setgid or sticky bit. */
	mode: number;
	modifiedAtMs: number;
	/** Bytes of a file, its holes included; 0 for others. */
	size: number;
	/** Where a link leads. */
	target: Buffer;
	/** The same for all names of one file; null when it has one name only. */
	sharedId: string | null;
	/** Stretches of a file that are not holes, in order; ends are excluded. */
	data(): readonly { start: number; end: number }[];
	/** The bytes of a stretch. Only while the walk stands at this entry. */
	read(stretch: { start: number; end: number }): AsyncGenerator<Buffer>;
	/** A file's descriptor for reading, which the caller closes. Only while the walk stands at this entry. */
	open(): number;
}

/** Another tree, in which files of the same path and the same bytes are looked for. */
export interface FileTwins {
	/** @returns a descriptor that the caller closes; null when there is none. */
	find(entry: TreeEntry): Promise<number | null>;
	close(): void;
}

/** The files of a project at one moment. */
export interface FrozenFiles {
	/**
	 * All files, folders and links, each folder before what is in it; what is none of these is left out.
	 * @param skips tells folders, by their name, that are left out with all that is in them.
	 */
	walk(skips: (name: string) => boolean): AsyncGenerator<TreeEntry>;
	release(): Promise<void>;
}

/** A version's files, which stay until it is released. */
export interface FrozenVersion extends FrozenFiles {
	/** What a path leads to and all that is below it; paths begin with its name. A link is told as a link. */
	walkPath(path: string): AsyncGenerator<TreeEntry>;
	/** What it takes of a disk. */
	usedBytes: number;
}

/**
 * A hidden folder of a project in which an import is put together. It becomes visible whole, or never. Paths are names
 * as bytes, neither empty nor `.` or `..`; no link on the way is followed. Missing folders are made.
 *
 * Throws RepldockError like `ProjectFiles`, and `invalid_archive` where one entry is in another's way.
 */
export interface Staging {
	/** Its path in the project. */
	path: string;
	addDirectory(path: readonly Buffer[], mode: number): void;
	/** @param stretches where in the file the content goes, in order; what is between them stays a hole. */
	addFile(path: readonly Buffer[], file: NewFile, content: AsyncIterable<Buffer>): Promise<void>;
	addLink(path: readonly Buffer[], target: Buffer): void;
	/** A further name for a file that was added before. */
	addName(path: readonly Buffer[], existing: readonly Buffer[]): void;
	/**
	 * A file of a tree on the same file system, whose bytes both share; nothing but its quota counts them anew.
	 * @param twin a file with the same bytes that is to share them instead; closed.
	 */
	addClone(path: readonly Buffer[], entry: TreeEntry, twin?: number | null): Promise<void>;
	/**
	 * Puts it in place of all that the project has.
	 * @param shape what comes in `wrapped` may be one folder, which is unwrapped; what is `whole` is taken as it is.
	 */
	replaceAll(shape: "wrapped" | "whole"): Promise<void>;
	/** Puts its entry of the path's last name in place of what the path leads to, in one step; missing folders are made. */
	replaceOne(path: string): Promise<void>;
	/** Makes it a folder with this name, or one like it that is free. @returns the folder's path. */
	publish(folder: string, name: string): Promise<string>;
	/** Removes what is left of it. To be called at the end, whatever happened. */
	discard(): Promise<void>;
}

export interface NewFile {
	mode: number;
	modifiedAtMs: number;
	/** Bytes, holes included. */
	size: number;
	stretches: readonly { start: number; end: number }[];
}

/** Ends a watch. Ending it twice is harmless. */
export type StopWatching = () => void;
