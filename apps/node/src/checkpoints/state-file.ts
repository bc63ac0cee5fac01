import { open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { Checkpoint, CheckpointId } from "@repldock/protocol";
import { z } from "zod";
import { Chain } from "./chain.ts";
import type { StoreFailure } from "./lag.ts";

/**
 * The latest durable checkpoint of a volume, whose snapshot is kept: the next one is told apart from it. It is one of the
 * origin's while nothing of a fork itself is durable.
 */
const Durable = CheckpointId.extend({
	/** Up to when all that people typed is in it; null when some of it could not be written into files. */
	upTo: z.iso.datetime().nullable(),
	/** The volume's change count while it holds the same files. */
	changes: z.int(),
	chain: Chain,
	/** What one increment is written on when the project comes to rest, in place of many; its snapshot is kept too. */
	base: z.object({ id: CheckpointId, chain: Chain }).nullable(),
	/** Without its snapshot there is nothing to tell changes from, and the next one is full. */
	hasSnapshot: z.boolean(),
});
export type Durable = z.infer<typeof Durable>;

const StateFile = z.object({
	durable: z.record(z.string(), Durable.partial({ projectId: true, base: true, hasSnapshot: true })),
	/** Not yet recorded by the site. */
	unreported: z.array(Checkpoint),
	held: z.record(z.string(), z.int().positive()).default({}),
	/** By project, since when its volume holds what is not in the object store; none of those where all is durable. */
	behind: z.record(z.string(), z.iso.datetime()).optional(),
	/** The last attempt to store something, when the store refused it. */
	storeFailure: z.object({ at: z.iso.datetime(), problem: z.string() }).nullish(),
});
export interface StateFile {
	durable: Record<string, Durable>;
	/** The generation of the placement under which each volume here was made or last known to be the present one. */
	held: Record<string, number>;
	unreported: Checkpoint[];
	behind: Record<string, string>;
	storeFailure: StoreFailure | null;
}

const nothingYet: StateFile = { durable: {}, held: {}, unreported: [], behind: {}, storeFailure: null };

/** @returns an empty state when there is none yet. @throws when the file is there but cannot be read. */
export async function readCheckpoints(path: string): Promise<StateFile> {
	let text: string;
	try {
		text = await readFile(path, "utf8");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return nothingYet;
		throw error;
	}
	// As written before it was told what is behind.
	const { durable, held, unreported, behind = {}, storeFailure = null } = StateFile.parse(JSON.parse(text));
	// As written before there were forks.
	const filled = Object.entries(durable).map(([projectId, stored]) => [
		projectId,
		{ projectId, base: null, hasSnapshot: true, ...stored },
	]);
	return { durable: Object.fromEntries(filled), held, unreported, behind, storeFailure };
}

/** Replaces the file whole; when it returns, the new state survives a loss of power. */
export async function writeCheckpoints(path: string, state: StateFile): Promise<void> {
	const draft = `${path}.new`;
	const file = await open(draft, "w", 0o600);
	try {
		await file.writeFile(JSON.stringify(state));
		await file.sync();
	} finally {
		await file.close();
	}
	await rename(draft, path);
	const directory = await open(dirname(path), "r");
	try {
		await directory.sync();
	} finally {
		await directory.close();
	}
}
