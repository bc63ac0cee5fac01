import type { Readable } from "node:stream";

/** Project volumes: one btrfs subvolume each, with a quota. */
export interface Volumes {
	/**
	 * Makes the volume with the files of `seedDirectory`, owned by the container's user; appears whole or not at all.
	 * Harmless when it exists: the volume is left as it is.
	 */
	create(projectId: string, seedDirectory: string, diskBytes: number): Promise<void>;
	exists(projectId: string): Promise<boolean>;
	setQuota(projectId: string, diskBytes: number): Promise<void>;
	usage(projectId: string): Promise<{ usedBytes: number; limitBytes: number }>;
	/** The same as of this moment: what programs wrote is brought to the disk first. */
	measure(projectId: string): Promise<{ usedBytes: number; limitBytes: number }>;
	/**
	 * Makes the volume from a snapshot or another volume, owned by this node's containers' user; appears whole or not at
	 * all, and takes neither time nor space for what both share. Harmless when the volume exists: it is left as it is.
	 */
	createFrom(projectId: string, snapshotPath: string, diskBytes: number): Promise<void>;
	/** Removes the volume with all that is in it; harmless when it does not exist. */
	remove(projectId: string): Promise<void>;
	list(): Promise<string[]>;
	/** The files as they are now, to be read while programs go on changing the volume. A crash leaves none behind. */
	snapshot(projectId: string): Promise<VolumeSnapshot>;
	/** Host path of the volume's root directory, for mounting it into a container. */
	path(projectId: string): string;
}

export interface VolumeSnapshot {
	/** Host path of its root directory, for reading alone: nothing but that convention keeps it as it is. */
	path: string;
	/** Removes it; harmless when it is gone. */
	release(): Promise<void>;
}

/** Read-only snapshots of volumes, by name: on the volumes' file system, but in no container. */
export interface Snapshots {
	/** Writes out what programs wrote so far, so that the next survey counts it. */
	flush(): Promise<void>;
	/** How often which volume and snapshot has changed. */
	survey(): Promise<SnapshotSurvey>;
	take(projectId: string, name: string): Promise<void>;
	/** Removes snapshots; harmless for those that do not exist. */
	remove(snapshots: readonly SnapshotName[]): Promise<void>;
	/**
	 * The bytes from which `receive` makes the snapshot again, where the parent is if one is given.
	 * @param through a command that they go through first, without a way through this process.
	 */
	send(snapshot: SnapshotName, parent: SnapshotName | null, through?: Filter): SentSnapshot;
	/**
	 * The bytes of `send` in one piece and without a program, where they are few.
	 * @returns null where they are not, a megabyte and more, or cannot be had this way: `send` has them, or says why not.
	 */
	sendSmall(snapshot: SnapshotName, parent: SnapshotName | null): Promise<Buffer | null>;
	/**
	 * Makes a snapshot from bytes of `send`, under the name it was sent from.
	 * @throws when they end early or make no sense.
	 */
	receive(projectId: string, bytes: ReceivedBytes): Promise<void>;
	path(projectId: string, name: string): string;
}

/** Versions of projects that somebody looks at: read-only, on the volumes' file system, but in no container. */
export interface VersionPlaces {
	/** Host path of a version that is whole. */
	path(projectId: string, versionId: string): string;
	/** Takes it from the node's own snapshots, at no cost. @returns false when it is none of them any more. */
	takeLocal(projectId: string, versionId: string): Promise<boolean>;
	/** Makes one part of a version's chain, under the name it was sent from; see `Snapshots.receive`. */
	receive: Snapshots["receive"];
	/** Removes parts that were received; harmless for those that are not there. */
	removeReceived(projectId: string, names: readonly string[]): Promise<void>;
	/** What was received under this name is the version, whole. */
	keepReceived(projectId: string, name: string, versionId: string): Promise<void>;
	/** Harmless when it is not there. What is open of it can be read to its end. */
	remove(projectId: string, versionId: string): Promise<void>;
	/** Removes all of a project, or of all projects: whole or not. */
	removeAll(projectId?: string): Promise<void>;
	/** Bytes of the disk that it takes, as if it shared none with others. */
	usedBytes(projectId: string, versionId: string): Promise<number>;
	disk(): Promise<{ freeBytes: number; totalBytes: number }>;
}

/** Counts that rise with every change of files. A volume whose count is a snapshot's holds the same files. */
export interface SnapshotSurvey {
	volumes: Map<string, number>;
	/** By project and name. */
	snapshots: Map<string, Map<string, number>>;
}

export interface SnapshotName {
	projectId: string;
	name: string;
}

/** Bytes of `send`, after the command `through` where they are not that yet. */
export interface ReceivedBytes {
	stream: Readable;
	through: Filter | null;
}

/** A program and its arguments, from standard input to standard output. */
export type Filter = readonly [program: string, ...programArguments: string[]];

export interface SentSnapshot {
	output: Readable;
	/** Resolves when all was sent. The output alone does not tell an end from a failure. */
	done: Promise<void>;
}
