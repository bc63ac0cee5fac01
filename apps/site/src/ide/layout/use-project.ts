import type { Project } from "@repldock/protocol";
import { useEffect, useState } from "react";
import { problemOf } from "../connection/problem.ts";
import type { Site } from "../connection/site.ts";

const firstRetryMs = 1_000;
const mostRetryMs = 30_000;

/** What the site says of the project; null until it has. What goes wrong passes, or the connection tells it in full. */
export function useProject(site: Site) {
	const [project, setProject] = useState<Project | null>(null);
	const [failed, setFailed] = useState(false);

	useEffect(() => {
		let timer: number | undefined;
		let isGone = false;
		async function load(retryMs: number): Promise<void> {
			try {
				const loaded = await site.project();
				if (!isGone) setProject(loaded);
			} catch (error) {
				console.warn("The project could not be read:", problemOf(error).detail);
				if (isGone) return;
				setFailed(true);
				timer = window.setTimeout(() => void load(Math.min(mostRetryMs, 2 * retryMs)), retryMs);
			}
		}
		void load(firstRetryMs);
		return () => {
			isGone = true;
			window.clearTimeout(timer);
		};
	}, [site]);

	// A web view with a token too many does no harm.
	const isPrivate = project ? project.visibility !== "public" : failed || null;
	return { project, setProject, isPrivate };
}
