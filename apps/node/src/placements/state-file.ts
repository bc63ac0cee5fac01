import { readFile, rename, writeFile } from "node:fs/promises";
import { DesiredPlacement } from "@repldock/protocol";
import { z } from "zod";

const StateFile = z.object({
	placements: z.array(DesiredPlacement),
	/** Project id → the `wantVersion` that was last answered with a started container. */
	answeredWants: z.record(z.string(), z.int()),
});
export type StateFile = z.infer<typeof StateFile>;

/**
 * The last desired set, kept so that a restarted agent goes on while the site cannot be reached.
 * @returns an empty state when there is none yet.
 * @throws when the file is there but cannot be read: the agent must not take an outage for an empty node.
 */
export async function readState(path: string): Promise<StateFile> {
	let text: string;
	try {
		text = await readFile(path, "utf8");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return { placements: [], answeredWants: {} };
		throw error;
	}
	return StateFile.parse(JSON.parse(text));
}

/** Replaces the file whole, so that a crash leaves the old or the new state. */
export async function writeState(path: string, state: StateFile): Promise<void> {
	const temporary = `${path}.new`;
	await writeFile(temporary, JSON.stringify(state), { mode: 0o600 });
	await rename(temporary, path);
}
