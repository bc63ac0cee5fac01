import type { Template } from "@repldock/protocol";
import { useEffect, useState } from "react";
import { callApi, sentenceOf } from "../api/client.ts";

let asked: Promise<Template[]> | undefined;

/** The templates of this site, asked for once per page; again after a failure. */
export function useTemplates(): { templates: Template[] | null; problem: string | undefined } {
	const [templates, setTemplates] = useState<Template[] | null>(null);
	const [problem, setProblem] = useState<string>();
	useEffect(() => {
		let gone = false;
		asked ??= callApi<{ items: Template[] }>("GET", "/api/v1/templates").then((answer) => answer.items);
		asked.then(
			(list) => gone || setTemplates(list),
			(error: unknown) => {
				asked = undefined;
				if (!gone) setProblem(sentenceOf(error));
			},
		);
		return () => {
			gone = true;
		};
	}, []);
	return { templates, problem };
}
