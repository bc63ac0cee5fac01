import type { Project } from "@repldock/protocol";
import { useCallback, useEffect, useRef, useState } from "react";
import type { Page } from "../api/answers.ts";
import { callApi, sentenceOf } from "../api/client.ts";

/** States change while the page is open; so often it looks, as long as somebody looks at it. */
const refreshEveryMs = 8_000;
/** Shorter than the pause between two words, longer than between two letters. */
const searchDelayMs = 140;

export interface Projects {
	/** Null until the first answer. */
	items: Project[] | null;
	problem: string | undefined;
	/** Brings the next page; undefined when there is none. */
	loadMore: (() => void) | undefined;
	reload: () => void;
	put: (project: Project) => void;
	remove: (id: string) => void;
}

/** The person's projects (or trash) that match `query`, kept fresh. What is known already is filtered at once. */
export function useProjects(query: string, trash: boolean): Projects {
	const [items, setItems] = useState<Project[] | null>(null);
	const [cursor, setCursor] = useState<string | null>(null);
	const [problem, setProblem] = useState<string>();
	/** Rises with each local change, so that an answer that is older than it is not believed. */
	const changes = useRef(0);

	const load = useCallback(
		async (after: string | null, mode: "replace" | "append" | "refresh", signal?: AbortSignal) => {
			const changesBefore = changes.current;
			try {
				const page = await callApi<Page<Project>>("GET", listPath(query, trash, after), undefined, signal);
				if (signal?.aborted || changesBefore !== changes.current) return;
				const all = mode !== "append" && page.nextCursor === null;
				if (all || mode === "replace") setItems(page.items);
				else setItems((old) => (mode === "append" ? append : refresh)(old ?? [], page.items));
				if (all || mode !== "refresh") setCursor(page.nextCursor);
				setProblem(undefined);
			} catch (error) {
				if (!signal?.aborted) setProblem(sentenceOf(error));
			}
		},
		[query, trash],
	);

	useEffect(() => {
		const abort = new AbortController();
		const first = setTimeout(() => void load(null, "replace", abort.signal), query === "" ? 0 : searchDelayMs);
		const look = () => {
			if (document.visibilityState === "visible") void load(null, "refresh", abort.signal);
		};
		const timer = setInterval(look, refreshEveryMs);
		document.addEventListener("visibilitychange", look);
		return () => {
			abort.abort();
			clearTimeout(first);
			clearInterval(timer);
			document.removeEventListener("visibilitychange", look);
		};
	}, [load, query]);

	const put = useCallback((project: Project) => {
		changes.current++;
		setItems((old) => {
			const known = old?.some((item) => item.id === project.id);
			if (known) return old?.map((item) => (item.id === project.id ? project : item)) ?? null;
			return [project, ...(old ?? [])];
		});
	}, []);

	const remove = useCallback((id: string) => {
		changes.current++;
		setItems((old) => old?.filter((item) => item.id !== id) ?? null);
	}, []);

	return {
		items: items?.filter((project) => matches(project, query)) ?? null,
		problem,
		loadMore: cursor ? () => void load(cursor, "append") : undefined,
		reload: () => void load(null, "replace"),
		put,
		remove,
	};
}

function listPath(query: string, trash: boolean, cursor: string | null): string {
	const parameters = new URLSearchParams();
	if (query.trim() !== "") parameters.set("query", query.trim());
	if (trash) parameters.set("trash", "1");
	if (cursor) parameters.set("cursor", cursor);
	return parameters.size > 0 ? `/api/v1/projects?${parameters}` : "/api/v1/projects";
}

function append(old: Project[], fresh: Project[]): Project[] {
	const ids = new Set(fresh.map((project) => project.id));
	return [...old.filter((project) => !ids.has(project.id)), ...fresh];
}

/** The first page anew; later pages that were brought already stay behind it. */
function refresh(old: Project[], fresh: Project[]): Project[] {
	const ids = new Set(fresh.map((project) => project.id));
	return [...fresh, ...old.filter((project) => !ids.has(project.id))];
}

function matches(project: Project, query: string): boolean {
	const words = query.trim().toLowerCase();
	return words === "" || project.name.toLowerCase().includes(words) || project.slug.includes(words);
}
