import { useCallback, useEffect, useState } from "react";
import { callApi, sentenceOf } from "../../api/client.ts";
import type { NodeTrafficAnswer } from "./answers.ts";

/** Nodes tell every ten seconds; half of that is how late the page may be. */
const refreshEveryMs = 5_000;

/** A node's network, kept fresh as long as somebody looks. */
export function useNodeTraffic(id: string) {
	const [answer, setAnswer] = useState<NodeTrafficAnswer | null>(null);
	const [problem, setProblem] = useState<string>();

	const load = useCallback(async () => {
		try {
			setAnswer(await callApi<NodeTrafficAnswer>("GET", `/api/v1/nodes/${encodeURIComponent(id)}/traffic`));
			setProblem(undefined);
		} catch (error) {
			setProblem(sentenceOf(error));
		}
	}, [id]);
	useEffect(() => {
		void load();
		const look = () => {
			if (document.visibilityState === "visible") void load();
		};
		const timer = setInterval(look, refreshEveryMs);
		document.addEventListener("visibilitychange", look);
		return () => {
			clearInterval(timer);
			document.removeEventListener("visibilitychange", look);
		};
	}, [load]);

	return { answer, problem, reload: load };
}
