import { readFile, rename, writeFile } from "node:fs/promises";
import { NodeId, TicketKey } from "@repldock/protocol";
import { z } from "zod";

/** What the site told this node when it last connected; enough to let people in while the site cannot be reached. */
const StoredWelcome = z.object({
	nodeId: NodeId,
	ticketKeys: z.array(TicketKey).min(1),
	siteOrigins: z.array(z.string()),
	/** Missing in files of before there was one; the next welcome brings it. */
	edgeSecret: z.string().optional(),
});
export type StoredWelcome = z.infer<typeof StoredWelcome>;

/** @returns null before the first welcome. */
export async function readWelcome(path: string): Promise<StoredWelcome | null> {
	try {
		return StoredWelcome.parse(JSON.parse(await readFile(path, "utf8")));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
		throw error;
	}
}

export async function writeWelcome(path: string, welcome: StoredWelcome): Promise<void> {
	await writeFile(`${path}.new`, JSON.stringify(StoredWelcome.parse(welcome)), { mode: 0o600 });
	await rename(`${path}.new`, path);
}
