import type { Version, WorkspaceState } from "@repldock/protocol";
import { toast } from "@repldock/ui";
import { problemOf } from "../connection/problem.ts";
import { baseName, showName } from "../files/paths.ts";
import type { History } from "./history.ts";
import { wasWhen } from "./words.ts";

/** Long enough to look at what came back before one decides. */
const undoMs = 30_000;

/** Restores a file, a folder, or (`path` null) the whole project, and offers to undo it. */
export async function restoreOrTell(history: History, version: Version, path: string | null): Promise<boolean> {
	const what = path === null ? "The project" : `“${showName(baseName(path))}”`;
	try {
		const undo = await history.restore(version.id, path);
		toast({
			title: `${what} is as it was ${wasWhen(version)}`,
			detail: "What was there is kept as “Before a restore”.",
			tone: "positive",
			durationMs: undoMs,
			action: { label: "Undo", onSelect: () => void undoOrTell(history, undo, path, what) },
		});
		return true;
	} catch (error) {
		toast({ title: `${what} was not restored`, detail: problemOf(error).detail, tone: "danger" });
		return false;
	}
}

async function undoOrTell(history: History, undo: Version, path: string | null, what: string): Promise<void> {
	try {
		await history.undo(undo, path);
		toast({ title: `${what} is as it was before` });
	} catch (error) {
		toast({ title: "The restore was not undone", detail: problemOf(error).detail, tone: "danger" });
	}
}

/** Why saving takes its time, while it does. */
export function whyWaiting(state: WorkspaceState | null): string | null {
	return state?.durability.problem ?? null;
}
