import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFolderStore } from "@repldock/objects";
import { createCleanupStack, createLog } from "@repldock/service";
import { expect } from "vitest";
import { collectGarbage } from "../../../apps/node/src/checkpoints/garbage.ts";
import { queryInstance } from "../../support/instance.ts";
import type { Restorable } from "./checks.ts";
import { mountScratch } from "./node-disk.ts";

/** What was stored so long ago is known to the site, or noted by the agent as still to be told. */
const settledMs = 5_000;

/** The objects of a running instance, and a place to restore them into. */
export interface InstanceObjects extends Restorable {
	/** After the garbage is collected, what is not being stored in this moment is what rows name or the agent has still to tell. */
	expectNoLeaks(): Promise<void>;
	release(): Promise<void>;
}

/** @param data the instance's directory. */
export async function openInstanceObjects(data: string): Promise<InstanceObjects> {
	const log = createLog("test", "silent");
	const cleanup = createCleanupStack(log);
	const directory = await mkdtemp(join(tmpdir(), "repldock-objects-"));
	cleanup.push("directory", () => rm(directory, { recursive: true, force: true }));
	const folder = join(data, "objects");
	const store = await openFolderStore(folder);
	const scratch = await mountScratch(join(directory, "scratch"), cleanup);

	const named = () => queryInstance(data, "SELECT DISTINCT object_key FROM checkpoints");
	async function unreported(): Promise<string[]> {
		const state = JSON.parse(await readFile(join(data, "checkpoints.json"), "utf8"));
		return (state as { unreported: { key: string }[] }).unreported.map(({ key }) => key);
	}

	async function settled(): Promise<string[]> {
		const beforeMs = Date.now() - settledMs;
		const keys: string[] = [];
		for (const prefix of ["packs/", "projects/"]) {
			for await (const { key, modifiedAt } of store.list(prefix)) if (modifiedAt.getTime() < beforeMs) keys.push(key);
		}
		return keys;
	}

	return {
		store,
		scratch,
		async expectNoLeaks() {
			const [nodeId = ""] = await queryInstance(data, "SELECT id FROM nodes");
			const toTell = new Set(await unreported());
			await collectGarbage({
				store,
				nodeId,
				olderThanMs: settledMs,
				async unnamed(keys) {
					const rows = new Set(await named());
					return { unnamed: keys.filter((key) => !rows.has(key)), knowsSince: new Date(0).toISOString() };
				},
				unreported: () => toTell,
				log,
			});
			// In this order: what is told meanwhile is in the one or the other.
			const [kept, noted, rows] = [await settled(), await unreported(), new Set(await named())];
			expect(kept.filter((key) => !rows.has(key) && !noted.includes(key))).toEqual([]);
			for (const key of rows) expect(await store.head(key), `${key} is named, but is not there`).not.toBeNull();
			const begun = await Promise.all(
				(await readdir(join(folder, ".incoming"))).map((name) =>
					stat(join(folder, ".incoming", name)).catch(() => null),
				),
			);
			expect(begun.filter((found) => found && found.mtimeMs < Date.now() - 2 * settledMs)).toEqual([]);
		},
		release: () => cleanup.run(),
	};
}
