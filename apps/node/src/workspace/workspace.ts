import { join } from "node:path";
import type { OpenPort, WorkspaceEvent, WorkspaceState } from "@repldock/protocol";
import { RepldockError } from "@repldock/protocol";
import type { ProjectFiles } from "../host-files.ts";
import type { WorkspaceDependencies } from "./dependencies.ts";
import { createDirectoryWatcher } from "./directory-watcher.ts";
import type { DocumentClient } from "./documents/document-client.ts";
import { createDocumentStore, type DocumentStore } from "./documents/store.ts";
import { createLoopbackPorts, exposedLoopback } from "./loopback-ports.ts";
import { createPortWatcher } from "./port-watcher.ts";
import { createProjectFileReader, type ProjectFileReader } from "./project-file.ts";
import { planOpenPorts } from "./urls.ts";

/** One person's page, connected by its events socket. */
export interface WorkspaceClient extends DocumentClient {
	readonly userId: string;
}

/** One project while people have it open or its container runs: its state, open documents and watched directories. */
export interface Workspace {
	readonly projectId: string;
	readonly files: ProjectFiles;
	readonly documents: DocumentStore;
	/** `.replit`, read anew when it changes. */
	readonly projectFile: ProjectFileReader;
	state(): WorkspaceState;
	/** From now on the client hears of every change; the state comes first. */
	join(client: WorkspaceClient): void;
	leave(client: WorkspaceClient): void;
	/** Replaces the directories that the client hears of. */
	watch(client: WorkspaceClient, directories: readonly string[]): void;
	/** Container, programs, name or limits may have changed. */
	refresh(): void;
	/** More of it is durable now, or something keeps it from being so. */
	durabilityChanged(): void;
	/** A program was started: ports may open soon. */
	expectPorts(): void;
	/** A visitor waits for a port: looks as often as is cheap until the function that it returns is called. */
	watchPortsClosely(): () => void;
	/** Files were written: disk usage is read again soon. `freed` when space came back. */
	filesWritten(freed?: boolean): void;
	/** Open pages. */
	connections(): number;
	/** Nobody is connected, no container runs, everything is saved. */
	isUnused(): boolean;
	dispose(): Promise<void>;
}

/** Changes of the state within this time are sent together. */
const pushMs = 30;
/** Least time between two readings of disk usage. */
const diskEveryMs = 3_000;
/** Usage is as fresh as the file system's last commit: it is read until this long after the last sign of a write. */
const diskSettlesMs = 15_000;

export async function createWorkspace(
	projectId: string,
	dependencies: WorkspaceDependencies,
	onUnused: () => void,
): Promise<Workspace> {
	const log = dependencies.log.child({ projectId });
	const files = await dependencies.openFiles(projectId);
	const projectFile = createProjectFileReader(files, log);
	await projectFile.refresh();
	let disk = await dependencies.diskUsage(projectId);
	let diskTimer: NodeJS.Timeout | undefined;
	let diskReadAtMs = performance.now();
	let diskSettledAtMs = 0;
	let ports: OpenPort[] = [];
	let pushTimer: NodeJS.Timeout | undefined;
	let disposed = false;
	const clients = new Map<WorkspaceClient, ReadonlySet<string>>();

	const watcher = createDirectoryWatcher({ files, log, onChange: directoryChanged });

	const documents = createDocumentStore({
		files,
		directory: join(dependencies.documentsDirectory, projectId),
		log,
		onDirectories: updateWatches,
		onSettled() {
			readDiskSoon();
			checkUnused();
		},
		onEntryChanged: (path) => tellFilesChanged(parentOf(path)),
	});

	const loopbackPorts = createLoopbackPorts({
		log,
		containerPid: () => dependencies.container(projectId)?.pid,
		expose: dependencies.exposeLocalhost,
	});
	const tellPorts = () => dependencies.onPorts(projectId, ports);

	const portWatcher = createPortWatcher({
		log,
		readListeningPorts: dependencies.readListeningPorts,
		programsRun: () => dependencies.holder.ptys(projectId).some((pty) => pty.running),
		onPorts(listening) {
			const placement = dependencies.placement(projectId);
			if (!placement) return;
			const planned = planOpenPorts(projectFile.current(), listening, placement.slug, dependencies.apps);
			const loopback = exposedLoopback(planned, listening);
			const isNew = JSON.stringify(planned) !== JSON.stringify(ports);
			ports = planned;
			// Within reach before the edge sends visitors there.
			if (loopbackPorts.differs(loopback)) void loopbackPorts.follow(loopback).then(tellPorts);
			else if (isNew) tellPorts();
			if (isNew) pushSoon();
		},
	});

	function updateWatches() {
		// The top folder always: `.replit` decides which ports visitors reach, also while no page is open.
		const wanted = documents.directories().add("");
		for (const directories of clients.values()) for (const directory of directories) wanted.add(directory);
		watcher.watch(wanted);
	}

	function directoryChanged(directory: string, names: ReadonlySet<string> | null) {
		documents.directoryChanged(directory, names);
		// Any file of the top folder may be the one that the editor opens first.
		if (directory === "") void readProjectFile();
		readDiskSoon();
		// Open documents tell of their file themselves: a save is no news for the file tree.
		const prefix = directory === "" ? "" : `${directory}/`;
		const onlyDocuments = names !== null && [...names].every((name) => documents.isOpen(prefix + name));
		if (!onlyDocuments) tellFilesChanged(directory);
	}

	function tellFilesChanged(directory: string) {
		for (const [client, directories] of clients) {
			if (directories.has(directory)) client.send({ type: "filesChanged", directories: [directory] });
		}
	}

	async function readProjectFile() {
		try {
			if (!(await projectFile.refresh()) || disposed) return;
			portWatcher.replan();
			pushSoon();
		} catch (error) {
			log.error({ err: error }, ".replit could not be looked at");
		}
	}

	function readDiskSoon() {
		diskSettledAtMs = performance.now() + diskSettlesMs;
		scheduleDisk();
	}

	function scheduleDisk() {
		if (diskTimer || disposed || clients.size === 0) return;
		const waitMs = Math.max(200, diskReadAtMs + diskEveryMs - performance.now());
		diskTimer = setTimeout(() => void readDisk(), waitMs);
	}

	async function readDisk() {
		diskReadAtMs = performance.now();
		try {
			const usage = await dependencies.diskUsage(projectId);
			const changed = usage.usedBytes !== disk.usedBytes || usage.limitBytes !== disk.limitBytes;
			disk = usage;
			if (changed) pushSoon();
		} catch (error) {
			log.warn({ err: error }, "disk usage could not be read");
		}
		diskTimer = undefined;
		// A program may write where nobody watches.
		const runs = dependencies.holder.ptys(projectId).some(({ kind, running }) => kind === "console" && running);
		if (runs || performance.now() < diskSettledAtMs) scheduleDisk();
	}

	function state(): WorkspaceState {
		const container = dependencies.containerState(projectId);
		const people = new Map([...clients.keys()].map(({ userId, name }) => [userId, { userId, name }]));
		return {
			container: container.state,
			problem: container.problem,
			ptys: [...dependencies.holder.ptys(projectId)],
			ports,
			hidden: [...projectFile.current().hidden],
			entrypoint: projectFile.entrypoint(),
			disk,
			durability: dependencies.durability(projectId),
			people: [...people.values()],
		};
	}

	function pushSoon() {
		if (disposed) return;
		pushTimer ??= setTimeout(() => {
			pushTimer = undefined;
			const event: WorkspaceEvent = { type: "state", state: state() };
			for (const client of clients.keys()) client.send(event);
		}, pushMs);
	}

	function isUnused(): boolean {
		return clients.size === 0 && !documents.isBusy() && dependencies.container(projectId) === undefined;
	}

	function checkUnused() {
		if (!disposed && isUnused()) onUnused();
	}

	function refresh() {
		const isPaused = dependencies.containerState(projectId).state === "paused";
		portWatcher.follow(dependencies.container(projectId)?.pid ?? null, isPaused);
		// The project may have another slug now.
		portWatcher.replan();
		readDiskSoon();
		pushSoon();
		checkUnused();
	}

	refresh();
	updateWatches();
	await documents.recover();

	return {
		projectId,
		files,
		documents,
		projectFile,
		state,

		join(client) {
			if (disposed) throw new RepldockError("not_placed_here", "The project was just closed. Reload the page.");
			clients.set(client, new Set());
			dependencies.onOpened(projectId);
			client.send({ type: "state", state: state() });
			updateWatches();
			readDiskSoon();
			pushSoon();
		},

		leave(client) {
			if (!clients.delete(client)) return;
			documents.leave(client);
			updateWatches();
			pushSoon();
			checkUnused();
		},

		watch(client, directories) {
			if (!clients.has(client)) return;
			clients.set(client, new Set(directories));
			updateWatches();
		},

		refresh,
		durabilityChanged: pushSoon,
		expectPorts: () => portWatcher.expectChange(),
		watchPortsClosely: () => portWatcher.watchClosely(),

		filesWritten(freed = false) {
			if (freed) documents.retry();
			readDiskSoon();
		},

		connections: () => clients.size,
		isUnused,

		async dispose() {
			disposed = true;
			clearTimeout(pushTimer);
			clearTimeout(diskTimer);
			portWatcher.close();
			watcher.close();
			await documents.dispose();
		},
	};
}

function parentOf(path: string): string {
	return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}
