import { readFile, writeFile } from "node:fs/promises";

/** Far below the programs' score. It is the machine's default, which needs no privilege to go back to. */
const placeholderScore = 0;

/**
 * Makes init and its sleeper the last to be chosen when the container runs out of memory, so that the hungry program
 * ends and the container stays. Programs cannot do the same: without privileges a score is only ever raised.
 * @param pid host process id of the container's init.
 */
export async function protectPlaceholder(pid: number): Promise<void> {
	// Init first: a sleeper that it has not forked yet inherits the score.
	await setScore(pid);
	const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(ignoreEnded);
	for (const child of (children ?? "").split(" ").filter(Boolean)) await setScore(Number(child));
}

async function setScore(pid: number): Promise<void> {
	await writeFile(`/proc/${pid}/oom_score_adj`, String(placeholderScore)).catch(ignoreEnded);
}

/** A container that ended meanwhile needs no protection. */
function ignoreEnded(error: NodeJS.ErrnoException): undefined {
	if (error.code === "ENOENT" || error.code === "ESRCH") return undefined;
	throw error;
}
