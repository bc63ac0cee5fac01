import type { Problem, Version } from "@repldock/protocol";
import { useEffect, useState } from "react";
import { problemOf } from "../connection/problem.ts";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { type FileContent, readContent } from "./content.ts";
import type { ChosenFile } from "./history.ts";

export type Compared =
	| { kind: "loading" }
	/** A folder, a link: nothing to read. */
	| { kind: "none" }
	| { kind: "failed"; problem: Problem }
	| { kind: "ready"; then: FileContent; now: FileContent };

/** A file as it was in a version, and as it is now. What it is now follows the project. */
export function useCompared(version: Version, file: ChosenFile): { state: Compared; again(): void } {
	const { history } = useWorkspace();
	const { client } = history;
	const { revision } = useStore(history.state);
	const [then, setThen] = useState<FileContent | null>(null);
	const [now, setNow] = useState<FileContent | null>(null);
	const [problem, setProblem] = useState<Problem | null>(null);
	const [attempt, setAttempt] = useState(0);
	const { path } = file;
	const isFile = file.kind === "file";

	// biome-ignore lint/correctness/useExhaustiveDependencies: another attempt asks anew
	useEffect(() => {
		if (!isFile) return;
		return asLongAsHere(
			(signal) => readContent((init) => client.content(version.id, path, init), path, signal),
			setThen,
			setProblem,
		);
	}, [client, version.id, path, isFile, attempt]);
	// biome-ignore lint/correctness/useExhaustiveDependencies: the same, and what is there now may have changed
	useEffect(() => {
		if (!isFile) return;
		return asLongAsHere(
			(signal) => readContent((init) => client.contentNow(path, init), path, signal),
			// The same text must not draw the editor anew.
			(next) => setNow((before) => (isSameText(before, next) ? before : next)),
			setProblem,
		);
	}, [client, path, isFile, attempt, revision]);

	function again(): void {
		setProblem(null);
		setAttempt(attempt + 1);
	}
	if (!isFile) return { state: { kind: "none" }, again };
	if (problem) return { state: { kind: "failed", problem }, again };
	return { state: then && now ? { kind: "ready", then, now } : { kind: "loading" }, again };
}

function asLongAsHere(
	read: (signal: AbortSignal) => Promise<FileContent>,
	take: (content: FileContent) => void,
	fail: (problem: Problem) => void,
): () => void {
	const abort = new AbortController();
	read(abort.signal).then(
		(content) => abort.signal.aborted || take(content),
		(error: unknown) => abort.signal.aborted || fail(problemOf(error)),
	);
	return () => abort.abort();
}

function isSameText(one: FileContent | null, other: FileContent): boolean {
	return one?.kind === "text" && other.kind === "text" && one.text === other.text;
}
