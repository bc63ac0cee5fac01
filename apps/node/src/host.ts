import type { Readable, Writable } from "node:stream";
import type {
	Activity,
	EdgeCertificate,
	EdgeChallenge,
	EdgeCounters,
	Limits,
	RouteChange,
	RouteTable,
	VisitBatch,
} from "@repldock/protocol";

/**
 * What the agent asks of the machine under it; of its volumes in host-storage.ts, of the files in them in host-files.ts.
 * `host/` holds the drivers; everything above sees these interfaces only, so that a fault which cannot be made for real
 * can be made by a test.
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
