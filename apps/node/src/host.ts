import type { Readable, Writable } from "node:stream";
import type {
	Activity,
	DirectoryListing,
	EdgeCertificate,
	EdgeChallenge,
	EdgeCounters,
	FileEntry,
	Limits,
	RouteChange,
	RouteTable,
	VisitBatch,
} from "@repldock/protocol";

/**
 * What the agent asks of the machine under it. `host/` holds the drivers; everything above sees these interfaces only,
 * so that a fault which cannot be made for real can be made by a test.
 */

/** The Docker Engine, driven over its unix socket. Errors are `EngineError` with the engine's status and message. */
export interface Engine {
	ping(): Promise<void>;
	hasImage(reference: string): Promise<boolean>;
	/** Streams a root file system archive into an image with this reference. */
	importImage(archive: string, reference: string): Promise<void>;
	/** @param home the container's own home, for it alone; its volume appears in it once it runs, see `Homes`. */
	createContainer(specification: ContainerSpecification, home: HomeOfContainer): Promise<{ id: string }>;
	/**
	 * @param meanwhile what else must be done before its first program; unless it is gone already.
	 * @returns what it is then; null when it is gone already.
	 */
	startContainer(id: string, meanwhile?: (status: ContainerStatus) => Promise<void>): Promise<ContainerStatus | null>;
	/** TERM, then KILL after the given time. Harmless when it does not run or does not exist. */
	stopContainer(id: string, timeoutMs: number): Promise<void>;
	pauseContainer(id: string): Promise<void>;
	unpauseContainer(id: string): Promise<void>;
	/** Forced, with its anonymous volumes; harmless when it does not exist. */
	removeContainer(id: string): Promise<void>;
	/** @returns null when there is no such container. */
	inspectContainer(id: string): Promise<ContainerStatus | null>;
	/** All containers that carry our label, whatever their state. */
	listContainers(): Promise<ContainerStatus[]>;
	/** Calls back for each start, die, oom and destroy of our containers until the signal aborts; reconnects by itself. */
	watchEvents(onEvent: (event: EngineEvent) => void, signal: AbortSignal): void;
	createExec(containerId: string, specification: ExecSpecification): Promise<{ execId: string }>;
	/** Starts it and returns its raw stream: with a TTY output as it is, without one in the engine's multiplexed frames. */
	startExec(execId: string, tty: boolean): Promise<ExecStream>;
	resizeExec(execId: string, columns: number, rows: number): Promise<void>;
	/** `pid` is the host's process id, 0 before the start. */
	inspectExec(execId: string): Promise<{ running: boolean; exitCode: number | null; pid: number }>;
}

export interface ContainerSpecification {
	projectId: string;
	generation: number;
	slug: string;
	image: string;
	environment: Record<string, string>;
	limits: Limits;
}

export interface ContainerStatus {
	id: string;
	projectId: string;
	generation: number;
	slug: string;
	state: "created" | "running" | "paused" | "exited" | "dead";
	/** Host process id of the container's init; 0 when it does not run. */
	pid: number;
	/** IPv4 address on the node's bridge; null when it does not run. */
	address: string | null;
	/** MAC address of its end of the cable, as the engine gave it; null when it does not run. */
	hardwareAddress: string | null;
	image: string;
	outOfMemory: boolean;
	/** The name of its home; null when it has none, and so no volume that we know of. */
	home: string | null;
}

/** A container's home as the engine is told of it: its name, by which it is found again, and where it is on the host. */
export interface HomeOfContainer {
	name: string;
	path: string;
}

export interface EngineEvent {
	action: "start" | "die" | "oom" | "destroy";
	containerId: string;
	projectId: string;
}

export interface ExecSpecification {
	command: readonly string[];
	environment: Record<string, string>;
	workingDirectory: string;
	tty: boolean;
	size?: { columns: number; rows: number };
}

export interface ExecStream {
	output: Readable;
	input: Writable;
	/** Ends the connection; the program goes on. */
	close(): void;
}

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

/**
 * Homes of containers: a folder on the host for each, which its container has as `/home/runner` from the beginning. The
 * volume is mounted in it when the container runs already, before its first program, and no other container sees that.
 * Without a volume nothing can be written there, and no program can start in the project's folder.
 * Callers take turns for each home.
 */
export interface Homes {
	/** Makes an empty one, and gives it its name. */
	make(): Promise<HomeOfContainer>;
	/**
	 * Mounts a volume as `<slug>` in the home, and sees to it that the container has it. Harmless when it has it already.
	 * @throws Error when the container does not see this very volume; then it must run no program.
	 */
	fill(name: string, volume: VolumeInHome): Promise<void>;
	/** Takes the volume away, also from programs that use it; harmless when there is none. */
	empty(name: string): Promise<void>;
	/** Empties it and removes it; harmless when it does not exist. Its container is to be gone. */
	remove(name: string): Promise<void>;
	/** Removes all others: those of containers that were removed while no agent looked. */
	keepOnly(names: ReadonlySet<string>): Promise<void>;
}

export interface VolumeInHome {
	slug: string;
	/** Host path of the volume's root directory. */
	volumePath: string;
	/** Host process id of the container's first process. */
	pid: number;
}

export interface VolumeSnapshot {
	/** Host path of its root directory; read-only. */
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
	/** Whether the node's own snapshots hold this checkpoint now: what builds on it can be received. */
	isLocal(projectId: string, versionId: string): Promise<boolean>;
	/** @returns false when the node's own snapshots do not hold this version; else the version is whole, at no cost. */
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

/** The node's bridge and packet filter. */
export interface Network {
	/** Makes or mends the bridge and the filter; called before the engine starts and whenever they may be damaged. */
	ensure(): Promise<void>;
	/** Removes bridge, filter and all else that `ensure` made. */
	release(): Promise<void>;
}

/** The node's NGINX, by the routes it answers and the certificates it shows. */
export interface Edge {
	replaceRoutes(table: RouteTable): Promise<void>;
	changeRoutes(change: RouteChange): Promise<void>;
	/** All certificates from now on; until the first call the edge lets visitors by TLS wait. */
	replaceCertificates(certificates: readonly EdgeCertificate[]): Promise<void>;
	/**
	 * All answers to ACME's HTTP-01 challenge from now on.
	 * @throws RepldockError `node_unreachable` when the edge does not have them now, for they are asked for at once.
	 */
	replaceChallenges(challenges: readonly EdgeChallenge[]): Promise<void>;
	/** Who visits: all projects, or one alone. @throws RepldockError `node_unreachable` when the edge does not run. */
	activity(projectId?: string): Promise<Activity>;
	/**
	 * What was ever asked of all projects, or of one; see EdgeCounters for how a new beginning is told.
	 * @throws RepldockError `node_unreachable` when the edge does not run.
	 */
	counters(projectId?: string): Promise<EdgeCounters>;
	/**
	 * Waits for requests of visitors, at most about 20 s; each is told once.
	 * @throws RepldockError `node_unreachable` when the edge does not run, or the signal aborts.
	 */
	nextVisits(signal: AbortSignal): Promise<VisitBatch>;
}

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

/** A TCP port on which something in a container listens; `loopbackOnly` when nobody outside of it is answered. */
export interface ListeningPort {
	port: number;
	loopbackOnly: boolean;
}

/** A connection in the kernel's table, as the side that began it sees it. */
export interface TrackedConnection {
	/** `tcp`, `udp`, `icmp` … */
	protocol: string;
	source: string;
	destination: string;
	/** 0 where the protocol has none. */
	destinationPort: number;
	/** The other side said something else than a reset. */
	answered: boolean;
	/** With IP's headers; 0 when the kernel does not count them. */
	sentBytes: number;
	receivedBytes: number;
}
