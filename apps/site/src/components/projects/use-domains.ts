import type { Domain } from "@repldock/protocol";
import { useCallback, useEffect, useState } from "react";
import type { Page } from "../api/answers.ts";
import { callApi, sentenceOf } from "../api/client.ts";

/** The site looks into DNS by itself; so often the page asks what it found, while something is still to come. */
const refreshEveryMs = 5_000;

export interface Domains {
	/** Null until the first answer. */
	items: Domain[] | null;
	problem: string | undefined;
	add: (name: string) => Promise<void>;
	verify: (domain: Domain) => Promise<void>;
	remove: (domain: Domain) => Promise<void>;
}

/** One project's custom domains. The three actions throw ApiProblem. */
export function useDomains(projectId: string): Domains {
	const [items, setItems] = useState<Domain[] | null>(null);
	const [problem, setProblem] = useState<string>();
	const path = `/api/v1/projects/${projectId}/domains`;

	const load = useCallback(
		async (signal?: AbortSignal) => {
			try {
				const page = await callApi<Page<Domain>>("GET", path, undefined, signal);
				if (signal?.aborted) return;
				setItems(page.items);
				setProblem(undefined);
			} catch (error) {
				if (!signal?.aborted) setProblem(sentenceOf(error));
			}
		},
		[path],
	);

	useEffect(() => {
		const abort = new AbortController();
		void load(abort.signal);
		return () => abort.abort();
	}, [load]);

	const isWaiting = items?.some(({ state }) => state !== "ready") ?? false;
	useEffect(() => {
		if (!isWaiting) return;
		const abort = new AbortController();
		const timer = setInterval(() => {
			if (document.visibilityState === "visible") void load(abort.signal);
		}, refreshEveryMs);
		return () => {
			abort.abort();
			clearInterval(timer);
		};
	}, [load, isWaiting]);

	return {
		items,
		problem,
		async add(name) {
			const domain = await callApi<Domain>("POST", path, { name });
			setItems((old) => [...(old ?? []), domain]);
		},
		async verify(domain) {
			const checked = await callApi<Domain>("POST", `${path}/${domain.id}/verify`);
			setItems((old) => old?.map((item) => (item.id === checked.id ? checked : item)) ?? null);
		},
		async remove(domain) {
			await callApi("DELETE", `${path}/${domain.id}`);
			setItems((old) => old?.filter(({ id }) => id !== domain.id) ?? null);
		},
	};
}
