import { useCallback, useEffect, useState } from "react";
import type { Page } from "../api/answers.ts";
import { callApi, sentenceOf } from "../api/client.ts";

export interface List<Item> {
	items: Item[] | null;
	problem: string | undefined;
	reload: () => void;
	loadMore: (() => void) | undefined;
}

/** A list of the API, page by page. */
export function useList<Item>(path: string): List<Item> {
	const [items, setItems] = useState<Item[] | null>(null);
	const [cursor, setCursor] = useState<string | null>(null);
	const [problem, setProblem] = useState<string>();

	const load = useCallback(
		async (after: string | null) => {
			try {
				const query = after ? `?cursor=${encodeURIComponent(after)}` : "";
				const page = await callApi<Page<Item>>("GET", path + query);
				setItems((old) => (after ? [...(old ?? []), ...page.items] : page.items));
				setCursor(page.nextCursor ?? null);
				setProblem(undefined);
			} catch (error) {
				setProblem(sentenceOf(error));
			}
		},
		[path],
	);
	useEffect(() => void load(null), [load]);

	return {
		items,
		problem,
		reload: () => void load(null),
		loadMore: cursor ? () => void load(cursor) : undefined,
	};
}
