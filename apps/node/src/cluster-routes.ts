import { readFile, rename, writeFile } from "node:fs/promises";
import { type ClusterRoutes, Elsewhere } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import { z } from "zod";

/** Which projects are on other nodes, and at which edge. Only what the site named is in it, and so ever proxied to. */
export interface ClusterTable {
	find(slug: string): Elsewhere | undefined;
	list(): Elsewhere[];
	/** Takes in what the site says; repeating it is harmless. */
	apply(routes: ClusterRoutes): void;
	/** Resolves once all that was taken in is on disk. */
	settled(): Promise<void>;
}

/**
 * The table as this node last knew it: a start without the site must not call other nodes' projects unknown.
 * @param ownAddress this node's own edge, to which nothing is passed on.
 */
export async function openClusterTable(options: {
	file: string;
	ownAddress: string;
	log: Logger;
}): Promise<ClusterTable> {
	const { file, ownAddress, log } = options;
	const entries = new Map<string, Elsewhere>();
	let writing = Promise.resolve();
	let isWaiting = false;

	function set(list: readonly Elsewhere[]) {
		for (const entry of list) {
			const isSelf = entry.peer !== null && entry.peer === ownAddress;
			entries.set(entry.slug, isSelf ? { ...entry, peer: null } : entry);
		}
	}

	/** One write after the other; changes that come while one waits are in it. */
	function keep() {
		if (isWaiting) return;
		isWaiting = true;
		writing = writing
			.then(async () => {
				isWaiting = false;
				await writeFile(`${file}.new`, JSON.stringify([...entries.values()]), { mode: 0o600 });
				await rename(`${file}.new`, file);
			})
			.catch((error: unknown) => log.error({ err: error }, "the cluster's routes were not kept"));
	}

	try {
		set(z.array(Elsewhere).parse(JSON.parse(await readFile(file, "utf8"))));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
			log.warn({ err: error }, "the cluster's routes cannot be read; the site tells them again");
		}
	}

	return {
		find: (slug) => entries.get(slug),
		list: () => [...entries.values()],
		apply(routes) {
			if (routes.whole) entries.clear();
			for (const slug of routes.removed) entries.delete(slug);
			set(routes.set);
			keep();
		},
		settled: () => writing,
	};
}
