import type { Rights, WorkspaceCommand, WorkspaceState } from "@repldock/protocol";
import { createAccessKeeper } from "./connection/access.ts";
import { type Connection, keepConnected } from "./connection/connection.ts";
import { readWorkspaceEvent } from "./connection/frames.ts";
import { createNodeClient, type NodeClient } from "./connection/node-client.ts";
import { createSite, type Site } from "./connection/site.ts";
import { dial } from "./connection/socket.ts";
import { createDocuments, type Documents } from "./documents/documents.ts";
import { openDrafts } from "./documents/drafts.ts";
import { createTabs, type EditorTabs } from "./editor/tabs.ts";
import { createHistory, type History } from "./history/history.ts";
import { createVersionClient } from "./history/version-client.ts";
import { createTrafficFeed, type TrafficFeed } from "./network/traffic-feed.ts";
import { type Memory, openMemory } from "./remembered.ts";
import { createRequestFeed, type RequestFeed } from "./requests/request-feed.ts";
import { createRunner, type Runner } from "./run/runner.ts";
import { createStore, type Store } from "./store.ts";
import { createTerminals, type Terminals } from "./terminal/terminals.ts";
import { createTransfers, type Transfers } from "./transfer/transfers.ts";

type Readable<T> = Pick<Store<T>, "get" | "subscribe">;

/** All that the page holds of one open project; its parts live as long as the page, whatever React draws. */
export type Workspace = {
	site: Site;
	node: NodeClient;
	connection: Connection;
	/** Null until the node told it first. */
	state: Readable<WorkspaceState | null>;
	/** Null until the node granted access. */
	rights: Readable<Rights | null>;
	documents: Documents;
	tabs: EditorTabs;
	terminals: Terminals;
	runner: Runner;
	/** Archives in and out. */
	transfers: Transfers;
	/** What visitors ask of the app. */
	requests: RequestFeed;
	/** What the project sends and receives. */
	traffic: TrafficFeed;
	/** The project's versions. */
	history: History;
	memory: Memory;
	userName: string;
	/** The access token that is good now, for the web view of a private project. */
	accessToken(): Promise<string>;
	/** Names the directories whose changes the tree wants to hear of. */
	watch(directories: readonly string[]): void;
	/** Calls back with directories whose entries changed; null when any may have (after a lost connection). */
	onFilesChanged(listener: (directories: readonly string[] | null) => void): () => void;
	close(): void;
};

const pingEveryMs = 20_000;
/** A connection on which nothing came for this long after a ping is dead, whatever the network says. */
const pongWithinMs = 10_000;
/** The same, when something speaks for it: the browser says that it is offline, or edits are not saved in `savedWithinMs`. */
const pongWithinWhenSuspectMs = 4_000;
const savedWithinMs = 3_000;

export function openWorkspace(options: { projectId: string; siteUrl: string; userName: string }): Workspace {
	const site = createSite(options.siteUrl, options.projectId);
	const access = createAccessKeeper(site, options.projectId);
	const node = createNodeClient(access);
	const memory = openMemory(options.projectId);
	const state = createStore<WorkspaceState | null>(null);
	const rights = createStore<Rights | null>(null);
	const fileListeners = new Set<(directories: readonly string[] | null) => void>();
	let watched: readonly string[] = [""];
	let pingTimer: ReturnType<typeof setInterval> | undefined;
	let pongTimer: ReturnType<typeof setTimeout> | undefined;
	let saveTimer: ReturnType<typeof setTimeout> | undefined;
	let hangUp: () => void = () => {};

	const command = (frame: WorkspaceCommand) => connection.send(JSON.stringify(frame));
	const tellFilesChanged = (directories: readonly string[] | null) => {
		for (const listener of fileListeners) listener(directories);
	};
	const documents = createDocuments({
		userName: options.userName,
		drafts: openDrafts(options.projectId),
		command,
		binary: (frame) => connection.send(frame),
		moved: (from, to) => tabs.fileMoved(from, to),
	});
	const tabs = createTabs({ documents, memory });
	const terminals = createTerminals({ access, node, rights });
	const transfers = createTransfers(access, node);
	const requests = createRequestFeed(command);
	const traffic = createTrafficFeed(command);
	const history = createHistory(createVersionClient(site, node), state);
	const runner = createRunner({ node, state, terminals, tabs, documents });

	function ping(withinMs: number): void {
		if (!command({ type: "ping", at: Date.now() })) return;
		clearTimeout(pongTimer);
		pongTimer = setTimeout(hangUp, withinMs);
	}
	function heard(): void {
		clearTimeout(pongTimer);
		pongTimer = undefined;
	}

	const connection: Connection = keepConnected({
		dial(handlers) {
			const stop = dial(access, "/events", handlers, true);
			hangUp = () => {
				stop();
				handlers.lost(null);
			};
			return stop;
		},
		connected() {
			void access.get().then((granted) => rights.set(granted.rights));
			command({ type: "watch", directories: [...watched] });
			documents.connected();
			requests.connected();
			traffic.connected();
			tellFilesChanged(null);
			pingTimer = setInterval(() => ping(pongWithinMs), pingEveryMs);
		},
		text(frame) {
			heard();
			const event = readWorkspaceEvent(frame);
			if (event?.type === "state") {
				state.set(event.state);
				terminals.follow(event.state.ptys);
			} else if (event?.type === "filesChanged") {
				tellFilesChanged(event.directories);
			} else if (event?.type === "requests") {
				requests.event(event);
			} else if (event?.type === "traffic") {
				traffic.event(event);
			} else if (event) {
				documents.event(event);
			}
		},
		binary(bytes) {
			heard();
			documents.frame(bytes);
		},
	});
	let wasConnected = false;
	const stopFollowing = connection.state.subscribe(() => {
		const isConnected = connection.state.get().kind === "connected";
		if (wasConnected && !isConnected) {
			clearInterval(pingTimer);
			heard();
			documents.disconnected();
		}
		wasConnected = isConnected;
	});
	// What broke while the computer slept is noticed at once instead of at the next ping.
	const check = () => {
		if (document.visibilityState === "visible") ping(pongWithinMs);
	};
	const suspect = () => ping(pongWithinWhenSuspectMs);
	// "Saving" must not stand there while the edits go nowhere.
	const stopWatchingSaves = documents.status.subscribe(() => {
		clearTimeout(saveTimer);
		if (documents.status.get().kind === "saving") saveTimer = setTimeout(suspect, savedWithinMs);
	});
	addEventListener("offline", suspect);
	addEventListener("online", check);
	document.addEventListener("visibilitychange", check);
	const warnBeforeLeaving = (event: BeforeUnloadEvent) => {
		if (documents.waiting() > 0) event.preventDefault();
	};
	addEventListener("beforeunload", warnBeforeLeaving);

	return {
		site,
		node,
		connection,
		state,
		rights,
		documents,
		tabs,
		terminals,
		runner,
		transfers,
		requests,
		traffic,
		history,
		memory,
		userName: options.userName,
		accessToken: async () => (await access.get()).token,
		watch(directories) {
			watched = directories.slice(0, 500);
			command({ type: "watch", directories: [...watched] });
		},
		onFilesChanged(listener) {
			fileListeners.add(listener);
			return () => fileListeners.delete(listener);
		},
		close() {
			removeEventListener("offline", suspect);
			removeEventListener("online", check);
			document.removeEventListener("visibilitychange", check);
			removeEventListener("beforeunload", warnBeforeLeaving);
			clearInterval(pingTimer);
			clearTimeout(saveTimer);
			heard();
			stopWatchingSaves();
			stopFollowing();
			connection.close();
			terminals.close();
			tabs.close();
			documents.destroy();
		},
	};
}
