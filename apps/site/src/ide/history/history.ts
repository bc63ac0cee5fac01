import type { Problem, Version, VersionId, WorkspaceState } from "@repldock/protocol";
import { ProblemError, problemOf } from "../connection/problem.ts";
import { createStore, type Store } from "../store.ts";
import type { VersionClient } from "./version-client.ts";

/** A file or folder of the chosen version, or one that has come since. */
export type ChosenFile = { path: string; kind: "file" | "directory" | "link" | "other" };

export type HistoryShown = {
	/** Whether the panel is there. */
	open: boolean;
	/** Newest first. */
	versions: readonly Version[];
	/** Where the next older page begins; null when all are here. */
	next: VersionId | null;
	/** False until the first page came. */
	loaded: boolean;
	loading: "newest" | "older" | null;
	/** Why the list is not what it should be. */
	problem: Problem | null;
	namedOnly: boolean;
	/** The version that is looked at, and a file of it. */
	chosen: Version | null;
	file: ChosenFile | null;
	/** Name of the version that is on its way to the object store. */
	saving: string | null;
	/** Rises whenever the project's files may have become others. */
	revision: number;
};

/** The project's versions as the page knows them. They outlive the panel: it opens where it was left. */
export type History = {
	state: Pick<Store<HistoryShown>, "get" | "subscribe">;
	/** Opens the panel, or closes it. */
	show(open: boolean): void;
	client: VersionClient;
	/** Keeps the list fresh as long as somebody looks. @returns what ends it. */
	follow(): () => void;
	/** Reads the newest page anew; older ones that are here stay. */
	refresh(): Promise<void>;
	older(): Promise<void>;
	showNamed(namedOnly: boolean): void;
	choose(version: Version | null): void;
	chooseFile(file: ChosenFile | null): void;
	/** @throws what the client throws. */
	save(name: string): Promise<Version>;
	/** @throws what the client throws. */
	rename(id: VersionId, name: string | null): Promise<void>;
	/** @param path A file or folder alone; null for the whole project. @throws what the client throws. */
	restore(id: VersionId, path: string | null): Promise<Version>;
	/** Undoes a restore by the version that it gave. @throws what the client throws. */
	undo(version: Version, path: string | null): Promise<void>;
};

/** The node tells that a checkpoint is durable before the site has recorded it: how often and when it is asked again. */
const mostAttempts = 5;
const attemptEveryMs = 1_000;

/** How often a list that could not be read is asked for again, while somebody looks. */
const retryEveryMs = 10_000;

export function createHistory(
	client: VersionClient,
	workspace: Pick<Store<WorkspaceState | null>, "get" | "subscribe">,
): History {
	const state = createStore<HistoryShown>({
		open: false,
		versions: [],
		next: null,
		loaded: false,
		loading: null,
		problem: null,
		namedOnly: false,
		chosen: null,
		file: null,
		saving: null,
		revision: 0,
	});
	let followers = 0;
	/** Answers to questions of an earlier turn are no longer wanted. */
	let turn = 0;
	const change = (values: Partial<HistoryShown>) => state.set({ ...state.get(), ...values });
	const durableUpTo = () => workspace.get()?.durability.upTo ?? null;

	function taken(versions: readonly Version[]): Partial<HistoryShown> {
		const { chosen } = state.get();
		const same = versions.find(({ id }) => id === chosen?.id);
		return { versions, ...(same ? { chosen: same } : {}) };
	}

	function filesChanged(): void {
		change({ revision: state.get().revision + 1 });
		void refresh();
	}

	async function refresh(): Promise<void> {
		turn += 1;
		const mine = turn;
		const { namedOnly } = state.get();
		change({ loading: "newest" });
		try {
			const page = await client.list({ before: null, named: namedOnly });
			if (mine !== turn) return;
			const before = state.get();
			const last = page.versions.at(-1);
			const at = last && page.next !== null ? before.versions.findIndex(({ id }) => id === last.id) : -1;
			// What was asked for beyond the first page stays, when it still follows upon it.
			const tail = at < 0 ? [] : before.versions.slice(at + 1);
			change({
				...taken([...page.versions, ...tail]),
				next: tail.length > 0 ? before.next : page.next,
				loaded: true,
				loading: null,
				problem: null,
			});
		} catch (error) {
			if (mine === turn) change({ loading: null, problem: problemOf(error) });
		}
	}

	/** After a checkpoint: the list, until the checkpoint is in it. */
	async function catchUp(upTo: string): Promise<void> {
		for (let attempt = 1; attempt <= mostAttempts; attempt++) {
			await refresh();
			const { versions, namedOnly } = state.get();
			const [newest] = versions;
			const isThere = newest !== undefined && Date.parse(newest.takenAt) >= Date.parse(upTo);
			if (isThere || namedOnly || followers === 0 || durableUpTo() !== upTo) return;
			await new Promise((resolve) => setTimeout(resolve, attemptEveryMs));
		}
	}

	return {
		state,
		client,
		show: (open) => change({ open }),
		refresh,
		follow() {
			followers += 1;
			let upTo = durableUpTo();
			void refresh();
			const stop = workspace.subscribe(() => {
				const now = durableUpTo();
				if (now === upTo) return;
				upTo = now;
				change({ revision: state.get().revision + 1 });
				if (now !== null) void catchUp(now);
			});
			const retry = setInterval(() => {
				const { problem, loading } = state.get();
				if (problem !== null && loading === null) void refresh();
			}, retryEveryMs);
			let ended = false;
			return () => {
				if (ended) return;
				ended = true;
				followers -= 1;
				clearInterval(retry);
				stop();
			};
		},
		async older() {
			const { next, namedOnly, loading } = state.get();
			if (next === null || loading !== null) return;
			const mine = turn;
			change({ loading: "older" });
			try {
				const page = await client.list({ before: next, named: namedOnly });
				if (mine !== turn) return;
				const known = new Set(state.get().versions.map(({ id }) => id));
				const fresh = page.versions.filter(({ id }) => !known.has(id));
				change({
					versions: [...state.get().versions, ...fresh],
					next: page.next,
					loading: null,
					problem: null,
				});
			} catch (error) {
				if (mine === turn) change({ loading: null, problem: problemOf(error) });
			}
		},
		showNamed(namedOnly) {
			if (namedOnly === state.get().namedOnly) return;
			change({ namedOnly, versions: [], next: null, loaded: false });
			void refresh();
		},
		choose(version) {
			change({ chosen: version, file: null });
		},
		chooseFile(file) {
			change({ file });
		},
		async save(name) {
			change({ saving: name });
			try {
				const version = await client.save(name);
				void refresh();
				return version;
			} finally {
				change({ saving: null });
			}
		},
		async rename(id, name) {
			const renamed = await client.name(id, name);
			const { versions, chosen, namedOnly } = state.get();
			const next = versions.map((version) => (version.id === id ? renamed : version));
			change({
				versions: namedOnly ? next.filter((version) => version.name !== null) : next,
				chosen: chosen?.id === id ? renamed : chosen,
			});
		},
		async restore(id, path) {
			const { undo } = await client.restore(id, path);
			filesChanged();
			return undo;
		},
		async undo({ id }, path) {
			try {
				await client.restore(id, path);
			} catch (error) {
				const wasAbsent = error instanceof ProblemError && error.problem.code === "file_not_found";
				if (!wasAbsent || path === null) throw error;
				await client.remove(path);
			}
			filesChanged();
		},
	};
}
