import type { ContainerState, DesiredPlacement, Durability, OpenPort, Problem, PtyState } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { StartMessage, StopMessage, WriteMessage } from "../holder/messages.ts";
import type { ListeningPort } from "../host.ts";
import type { ProjectFiles } from "../host-files.ts";
import type { AppAddresses } from "./urls.ts";

/** The container of a project while it runs, as the placements know it. */
export interface ProjectContainer {
	containerId: string;
	/** Host process id of its first process. */
	pid: number;
	/** The slug it was started with; its project folder is `/home/runner/<slug>`. */
	slug: string;
}

/** What workspaces ask of the other parts of the agent; the agent's `main.ts` wires them. */
export interface WorkspaceDependencies {
	log: Logger;
	/** Directory of all journals; one directory per project in it. */
	documentsDirectory: string;
	apps: AppAddresses;
	/** Variables of the toolchain image for every program; `${REPL_HOME}` in a value is the project folder. */
	toolchainEnvironment: Readonly<Record<string, string>>;
	placement(projectId: string): DesiredPlacement | undefined;
	/** The project's files; makes the volume if it is not there yet. */
	openFiles(projectId: string): Promise<ProjectFiles>;
	diskUsage(projectId: string): Promise<{ usedBytes: number; limitBytes: number }>;
	durability(projectId: string): Durability;
	containerState(projectId: string): { state: ContainerState; problem: Problem | null };
	/** Running or paused; undefined otherwise. */
	container(projectId: string): ProjectContainer | undefined;
	/** Wakes a paused one as well. @throws RepldockError when it cannot be started. */
	ensureRunning(projectId: string): Promise<ProjectContainer>;
	/** A page has the project open from now on. */
	onOpened(projectId: string): void;
	readListeningPorts(containerPid: number): Promise<readonly ListeningPort[]>;
	/** Brings these ports of the container's loopback address within the edge's reach, instead of those before. */
	exposeLocalhost(containerPid: number, ports: readonly number[]): Promise<void>;
	holder: Holder;
	/** The project's ports changed: the edge's routes follow. */
	onPorts(projectId: string, ports: readonly OpenPort[]): void;
}

/** The holder of PTYs, by the messages it takes. */
export interface Holder {
	start(message: StartMessage): Promise<void>;
	stop(message: StopMessage): Promise<void>;
	remove(message: StopMessage): Promise<void>;
	write(message: WriteMessage): Promise<void>;
	/** As last told by the holder. */
	ptys(projectId: string): readonly PtyState[];
}
